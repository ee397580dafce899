/** Reads Prometheus' text format as its specification has it, and throws at every line that does not follow it. */
export interface PrometheusText {
  /** Value by labels (`a=1,b=2`, sorted by name); `{}` where there is no sample of that name. */
  values(name: string): Record<string, number>;
  readonly helps: ReadonlySet<string>;
  readonly types: ReadonlySet<string>;
  /** Of samples, without the endings of a histogram. */
  readonly names: ReadonlySet<string>;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)$/;

export function parsePrometheus(text: string): PrometheusText {
  const samples = new Map<string, Record<string, number>>();
  const helps = new Set<string>();
  const types = new Set<string>();
  const names = new Set<string>();
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const comment = /^# (HELP|TYPE) (\S+) .+$/.exec(line);
    if (comment?.[2] !== undefined) {
      (comment[1] === "HELP" ? helps : types).add(comment[2]);
      continue;
    }
    const [, name, labels = "", value] = SAMPLE.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Error(`not Prometheus' text format: ${line}`);
    const key = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
      .map(([, label, content]) => `${label}=${content}`)
      .toSorted()
      .join(",");
    const known = samples.get(name) ?? {};
    if (Object.hasOwn(known, key)) throw new Error(`twice: ${line}`);
    samples.set(name, { ...known, [key]: Number(value) });
    names.add(name.replace(/_(bucket|sum|count)$/, ""));
  }
  return { values: (name) => samples.get(name) ?? {}, helps, types, names };
}
