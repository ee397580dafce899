/**
 * Asks a person at the terminal, with @clack/prompts: the only file that knows it. Asks on the terminal itself, so that a
 * pipe answers nothing. Colours and the spinner are clack's; NO_COLOR is honoured by it.
 */
import { openSync } from "node:fs";
import { ReadStream, WriteStream } from "node:tty";
import {
  type CANCEL_SYMBOL,
  confirm,
  isCancel,
  log,
  multiselect,
  note,
  password,
  select,
  spinner,
  text,
  type Option,
} from "@clack/prompts";
import { Cancelled, type Asker, type Choice } from "./asker.ts";

const TERMINAL = "/dev/tty";

export interface TerminalAsker extends Asker {
  close(): void;
}

/** null: there is no terminal. */
export function createTerminalAsker(): TerminalAsker | null {
  const place = openTerminal();
  if (place === null) return null;
  const { input, output } = place;
  return {
    async select({ message, choices, first }) {
      const options = choices.map((choice) => toOption(choice));
      return answered<typeof first>(
        await select({ ...place, message, options, initialValue: first, showInstructions: false }),
      );
    },
    async pick({ message, choices, first }) {
      const options = choices.map((choice) => toOption(choice));
      const picked = await multiselect({
        ...place,
        message,
        options,
        initialValues: [...first],
        required: false,
      });
      return answered<string[]>(picked);
    },
    async confirm({ message, first }) {
      return answered<boolean>(await confirm({ ...place, message, initialValue: first }));
    },
    async text({ message, first, hint = "", check }) {
      const answer = await text({
        ...place,
        message,
        placeholder: hint,
        initialValue: first,
        validate: (given) => check((given ?? "").trim()),
      });
      return answered<string>(answer).trim();
    },
    async secret({ message, check }) {
      const answer = await password({ ...place, message, validate: (given) => check((given ?? "").trim()) });
      return answered<string>(answer).trim();
    },
    say(title, body) {
      note(body, title, { output, format: (line) => line });
    },
    warn(body) {
      log.warn(body, { output });
    },
    async work(message, task, done) {
      const spin = spinner({ output });
      spin.start(message);
      try {
        const value = await task();
        spin.stop(done(value));
        return value;
      } catch (error) {
        spin.error(message);
        throw error;
      }
    },
    close() {
      input.destroy();
      output.destroy();
    },
  };
}

function openTerminal(): { input: ReadStream; output: WriteStream } | null {
  try {
    return {
      input: new ReadStream(openSync(TERMINAL, "r")),
      output: new WriteStream(openSync(TERMINAL, "w")),
    };
  } catch {
    return null; // a process without a terminal of its own
  }
}

function answered<T>(answer: T | typeof CANCEL_SYMBOL): T {
  if (isCancel(answer)) throw new Cancelled("setup was left");
  return answer;
}

function toOption<T extends string>({ value, label, hint }: Choice<T>): Option<T> {
  // The type of an option depends on its value's, which the compiler does not follow through T.
  return { value, label, ...(hint === undefined ? {} : { hint }) } as unknown as Option<T>;
}
