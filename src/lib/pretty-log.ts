/** JSON log lines for a person at a terminal: time, level, message, and the rest as key=value. */
import type { LogDestination } from "./log.ts";

const COLOURS: Readonly<Record<string, string>> = {
  warn: "\u001B[33m",
  error: "\u001B[31m",
  debug: "\u001B[2m",
};
const RESET = "\u001B[0m";

export function prettyDestination(write: (text: string) => unknown, colours: boolean): LogDestination {
  return {
    write(line) {
      write(toPretty(line, colours));
    },
  };
}

function toPretty(line: string, colours: boolean): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const clock = typeof time === "string" ? time.slice(11, 19) : "";
  const fields = Object.entries(rest).map(([key, value]) => `${key}=${shown(value)}`);
  const text = [clock, String(level).padEnd(5), String(msg), ...fields].join(" ");
  const colour = colours ? COLOURS[String(level)] : undefined;
  return colour === undefined ? `${text}\n` : `${colour}${text}${RESET}\n`;
}

function shown(value: unknown): string {
  if (typeof value === "string") return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}
