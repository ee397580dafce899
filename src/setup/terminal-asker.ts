/**
 * Asks a person at the terminal, with @clack/prompts: the only file that knows it. Asks on the terminal itself, so that a
 * pipe answers nothing. Colours are clack's; NO_COLOR is honoured by it. The sign of life is ours: clack's own ends the
 * process with success when it is interrupted.
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
  text,
  type Option,
} from "@clack/prompts";
import { Cancelled, type Asker, type Choice } from "./asker.ts";

const TERMINAL = "/dev/tty";

export interface TerminalAsker extends Asker {
  close(): void;
}

/** null: there is no terminal. `leave`: called on Ctrl-C while no question is open. */
export function createTerminalAsker(leave: () => void): TerminalAsker | null {
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
      const stop = showMoving(place, message, leave);
      try {
        const value = await task();
        stop();
        log.step(done(value), { output });
        return value;
      } catch (error) {
        stop();
        log.error(message, { output });
        throw error;
      }
    },
    close() {
      if (input.destroyed) return;
      input.setRawMode(false);
      output.write(SHOW_CURSOR);
      input.destroy();
      output.destroy();
    },
  };
}

const FRAMES = ["◒", "◐", "◓", "◑"];
const FRAME_MS = 100;
const CLEAR_LINE = "\r\u001B[K";
const HIDE_CURSOR = "\u001B[?25l";
const SHOW_CURSOR = "\u001B[?25h";
const CTRL_C = 3;

/** A line that moves until the returned function is called. What is typed meanwhile answers no question. */
function showMoving({ input, output }: Place, message: string, leave: () => void): () => void {
  let frame = 0;
  const draw = (): void => {
    const line = `${FRAMES[frame++ % FRAMES.length] ?? ""}  ${message}...`;
    output.write(`${CLEAR_LINE}${line.slice(0, output.columns - 1)}`);
  };
  const hear = (typed: Buffer | string): void => {
    if (!Buffer.from(typed).includes(CTRL_C)) return;
    output.write(CLEAR_LINE);
    leave();
  };
  output.write(HIDE_CURSOR);
  draw();
  const timer = setInterval(draw, FRAME_MS);
  input.setRawMode(true);
  input.on("data", hear).resume();
  return () => {
    clearInterval(timer);
    input.off("data", hear).pause();
    input.setRawMode(false);
    output.write(`${CLEAR_LINE}${SHOW_CURSOR}`);
  };
}

interface Place {
  readonly input: ReadStream;
  readonly output: WriteStream;
}

function openTerminal(): Place | null {
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
