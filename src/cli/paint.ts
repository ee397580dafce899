/** Colour for people: only on a terminal, and never where NO_COLOR (no-color.org) or a dumb terminal says no. */
import type { Terminal } from "./terminal.ts";

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Paint = (style: keyof typeof CODES, text: string) => string;

export function createPaint(
  { environment }: Pick<Terminal, "environment">,
  output: Terminal["stdout"],
): Paint {
  if (!mayPaint(environment, output)) return (_style, text) => text;
  return (style, text) => `\u001B[${CODES[style]}m${text}\u001B[0m`;
}

export function mayPaint(environment: Terminal["environment"], output: Terminal["stdout"]): boolean {
  const { NO_COLOR: no = "", TERM: kind } = environment;
  return output.isTTY === true && no === "" && kind !== "dumb";
}
