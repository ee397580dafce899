/**
 * What one setting accepts: a value from a flag, the environment or the config file in; what it means, or everything
 * that is wrong with it, out. Knows no setting. Not zod, which every start would wait for: loading it takes as long as
 * starting Node.
 */
import { fail, ok, type Result } from "../lib/result.ts";

type Read<T> = (value: unknown) => Result<T, readonly string[]>;

export interface Readable<T> {
  readonly description: string;
  /** `undefined`: nobody gave it. The failure is not empty. */
  readonly read: Read<T>;
}

export interface Setting<T> extends Readable<T> {
  readonly check: (problem: string, isFit: (value: T) => boolean) => Setting<T>;
  /** Only what is right is converted. */
  readonly transform: <U>(convert: (value: T) => U) => Setting<U>;
  readonly default: (value: T) => Setting<T>;
  readonly optional: () => Setting<T | undefined>;
  readonly describe: (description: string) => Setting<T>;
}

interface Check<T> {
  readonly problem: string;
  readonly isFit: (value: T) => boolean;
}

export function setting<T>(read: Read<T>, checks: readonly Check<T>[] = [], description = ""): Setting<T> {
  const checked: Read<T> = (value) => {
    const found = read(value);
    if (!found.ok) return found;
    const failed = checks.filter(({ isFit }) => !isFit(found.value));
    return failed.length === 0 ? found : fail(failed.map(({ problem }) => problem));
  };
  return {
    description,
    read: checked,
    check: (problem, isFit) => setting(read, [...checks, { problem, isFit }], description),
    transform: (convert) =>
      setting((value) => {
        const found = checked(value);
        return found.ok ? ok(convert(found.value)) : found;
      }),
    default: (fallback) => setting((value) => (value === undefined ? ok(fallback) : checked(value))),
    optional: () => setting<T | undefined>((value) => (value === undefined ? ok(undefined) : checked(value))),
    describe: (words) => setting(read, checks, words),
  };
}

type Shape = Readonly<Record<string, Readable<unknown>>>;
type ValueOf<S> = S extends Readable<infer T> ? T : never;
type OptionalName<S extends Shape> = {
  [N in keyof S]: undefined extends ValueOf<S[N]> ? N : never;
}[keyof S];

export type ValuesOf<S extends Shape> = { [N in Exclude<keyof S, OptionalName<S>>]: ValueOf<S[N]> } & {
  [N in OptionalName<S>]?: ValueOf<S[N]>;
};

export interface SettingProblem {
  readonly name: string;
  readonly problem: string;
}

/** Every setting of `shape` as it is given; one that is wrong counts as not given, so that what else is wrong is seen too. */
export function readAll<S extends Shape>(
  shape: S,
  given: Readonly<Record<string, unknown>>,
): { values: ValuesOf<S>; problems: readonly SettingProblem[] } {
  const values: Record<string, unknown> = {};
  const problems: SettingProblem[] = [];
  for (const [name, { read }] of Object.entries(shape)) {
    const found = read(Object.hasOwn(given, name) ? given[name] : undefined);
    if (!found.ok) problems.push(...found.failure.map((problem) => ({ name, problem })));
    const value = found.ok ? found : read(undefined);
    if (value.ok && value.value !== undefined) values[name] = value.value;
  }
  return { values: values as ValuesOf<S>, problems };
}
