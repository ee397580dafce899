/** One line of the result table. */
export interface Row {
  readonly name: string;
  readonly measured: string;
  /** Empty: told for information. */
  readonly goal: string;
  readonly ok: boolean | null;
}

export function atMost(name: string, value: number, limit: number, unit: string, detail = ""): Row {
  return {
    name,
    measured: told(value, unit, detail),
    goal: `≤ ${limit}${spaced(unit)}`,
    ok: value <= limit,
  };
}

export function atLeast(name: string, value: number, limit: number, unit: string, detail = ""): Row {
  return {
    name,
    measured: told(value, unit, detail),
    goal: `≥ ${limit}${spaced(unit)}`,
    ok: value >= limit,
  };
}

export function information(name: string, measured: string): Row {
  return { name, measured, goal: "", ok: null };
}

export function toTable(rows: readonly Row[]): string {
  const cells = [
    ["case", "measured", "goal", "ok"],
    ...rows.map(({ name, measured, goal, ok }) => [
      name,
      measured,
      goal,
      ok === null ? "" : ok ? "yes" : "NO",
    ]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join(" | ")
        .trimEnd(),
    )
    .join("\n");
}

function told(value: number, unit: string, detail: string): string {
  const digits = unit === "×" ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)}${spaced(unit)}${detail === "" ? "" : ` (${detail})`}`;
}

function spaced(unit: string): string {
  return unit === "" ? "" : ` ${unit}`;
}
