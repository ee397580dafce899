/** Tables for a terminal: each cell as wide as its column, with an ellipsis where text was cut. Pure. */
import { toShown } from "./command-flags.ts";

export function toTableLine(cells: readonly string[], widths: readonly number[]): string {
  return `${widths
    .map((width, index) => fit(cells[index] ?? "", width))
    .join(" ")
    .trimEnd()}\n`;
}

function fit(text: string, width: number): string {
  const shown = toShown(text);
  return shown.length > width ? `${shown.slice(0, width - 1)}…` : shown.padEnd(width);
}
