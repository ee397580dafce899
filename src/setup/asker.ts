/**
 * Port to whoever answers the questions of `setup`: a person at the terminal, or the answers that are there already.
 * Every question has a first answer, which is what holds without the person's word. A person may leave at any question:
 * that throws `Cancelled`, and nothing was written by then. Of a secret nothing is ever shown.
 */
export interface Choice<T extends string> {
  readonly value: T;
  readonly label: string;
  readonly hint?: string;
}

/** What is wrong with an answer, in words; or undefined. */
export type Check = (answer: string) => string | undefined;

export interface Asker {
  select<T extends string>(question: {
    readonly message: string;
    readonly choices: readonly Choice<T>[];
    readonly first: T;
  }): Promise<T>;
  /** Which of these stay: any number, in their order. */
  pick(question: {
    readonly message: string;
    readonly choices: readonly Choice<string>[];
    readonly first: readonly string[];
  }): Promise<readonly string[]>;
  confirm(question: { readonly message: string; readonly first: boolean }): Promise<boolean>;
  text(question: {
    readonly message: string;
    readonly first: string;
    readonly hint?: string;
    readonly check: Check;
  }): Promise<string>;
  /** Empty: what is kept already stays, or there is none. */
  secret(question: { readonly message: string; readonly check: Check }): Promise<string>;
  /** A paragraph; lines of at most 70 characters. */
  say(title: string, text: string): void;
  warn(text: string): void;
  /** Shows that something takes time; `done` says what came of it. */
  work<T>(message: string, task: () => Promise<T>, done: (value: T) => string): Promise<T>;
}

/** The person left. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
}

/** An answer that was given beforehand, by flag or file, will not do. */
export class UnfitAnswer extends Error {
  override readonly name = "UnfitAnswer";
}
