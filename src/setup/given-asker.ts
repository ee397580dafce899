/** Answers every question with its first answer, for `--yes`: scripts see what was decided, nobody is asked. */
import { UnfitAnswer, type Asker, type Check } from "./asker.ts";

export function createGivenAsker(write: (text: string) => unknown): Asker {
  const tell = (message: string, answer: string): void => {
    write(`${message} ${answer}\n`);
  };
  const checked = (message: string, answer: string, check: Check): string => {
    const problem = check(answer);
    const asked = message.replace(/:$/, "");
    const given = answer === "" ? "" : ` ${answer}`;
    if (problem !== undefined) throw new UnfitAnswer(`${asked}${given}: ${problem}`);
    return answer;
  };
  return {
    async select({ message, choices, first }) {
      tell(message, choices.find(({ value }) => value === first)?.label ?? first);
      return first;
    },
    async pick({ message, first }) {
      tell(message, first.length === 0 ? "none" : first.join(", "));
      return first;
    },
    async confirm({ message, first }) {
      tell(message, first ? "yes" : "no");
      return first;
    },
    async text({ message, first, check }) {
      if (first !== "") tell(message, first);
      return checked(message, first, check);
    },
    async secret({ message, check }) {
      return checked(message, "", check);
    },
    say(title, text) {
      write(`\n${title}\n${text.replaceAll(/^(?=.)/gm, "  ")}\n`);
    },
    warn(text) {
      write(`Warning: ${text}\n`);
    },
    async work(_message, task, done) {
      const value = await task();
      write(`${done(value)}\n`);
      return value;
    },
  };
}
