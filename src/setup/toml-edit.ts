/**
 * Changes a TOML file as a careful person would: only the lines that say something else now, with comments and
 * everything unknown left in place. What came out is read again and compared; where the careful way does not give what
 * was wanted, the file is written anew from its values, and the caller is told that comments were lost. Pure.
 */
import { isDeepStrictEqual } from "node:util";
import { parse, stringify } from "smol-toml";

export type TomlTable = Readonly<Record<string, unknown>>;

export interface TomlEdit {
  /** Top-level keys; null takes one away. */
  readonly values: Readonly<Record<string, unknown>>;
  /** All tables of `[[projects]]` in their order. `index`: which of those in the file it was, or null for a new one. */
  readonly projects: readonly ProjectEdit[] | "same";
}

export interface ProjectEdit {
  readonly index: number | null;
  readonly table: TomlTable;
}

export interface EditedToml {
  readonly text: string;
  readonly keptComments: boolean;
}

/** Throws where `text` is no TOML. */
export function editToml(text: string, { values, projects }: TomlEdit): EditedToml {
  const before = parse(text);
  const same = tablesOf(before).map((table, index) => ({ index, table }));
  const edit = { values, projects: projects === "same" ? same : projects };
  const wanted = wantedValues(before, edit);
  const careful = editLines(text, before, edit);
  if (isDeepStrictEqual(tryParse(careful), plain(wanted))) return { text: careful, keptComments: true };
  return { text: `${stringify(wanted).trimEnd()}\n`, keptComments: !text.includes("#") };
}

interface Edit {
  readonly values: TomlTable;
  readonly projects: readonly ProjectEdit[];
}

function wantedValues(before: TomlTable, { values, projects }: Edit): TomlTable {
  const merged = Object.entries({ ...before, ...values }).filter(
    ([name, value]) => value !== null && name !== "projects",
  );
  const tables = projects.map(({ table }) => withoutNull(table));
  return { ...Object.fromEntries(merged), ...(tables.length === 0 ? {} : { projects: tables }) };
}

function editLines(text: string, before: TomlTable, { values, projects }: Edit): string {
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const blocks = projectBlocks(lines);
  const old = tablesOf(before);
  // From the end to the beginning, so that what is above keeps its place.
  for (const [index, block] of [...blocks.entries()].toReversed()) {
    const kept = projects.find((project) => project.index === index);
    if (kept === undefined) lines.splice(block.from, block.to - block.from);
    else
      setKeys(lines, block.from + 1, block.to, old[index] ?? {}, changedKeys(old[index] ?? {}, kept.table));
  }
  setKeys(lines, 0, firstHeader(lines), before, changedKeys(before, { ...before, ...values }));
  for (const { table } of projects.filter(({ index }) => index === null)) {
    if (lines.length > 0 && lines.at(-1) !== "") lines.push("");
    lines.push("[[projects]]", ...statement(withoutNull(table)));
  }
  return `${lines.join("\n")}\n`;
}

interface Block {
  readonly from: number;
  readonly to: number;
}

const HEADER = /^\s*\[/;

function firstHeader(lines: readonly string[]): number {
  const found = lines.findIndex((line) => HEADER.test(line));
  return found === -1 ? lines.length : found;
}

/** Each from its header to its last statement; what stands between that and the next header belongs to neither. */
function projectBlocks(lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  for (const [from, line] of lines.entries()) {
    if (!/^\s*\[\[\s*projects\s*\]\]/.test(line)) continue;
    const next = lines.findIndex((other, index) => index > from && HEADER.test(other));
    blocks.push({ from, to: lastStatement(lines, from, next === -1 ? lines.length : next) });
  }
  return blocks;
}

/** The line after the last one between `from` and `to` that is neither empty nor a comment. */
function lastStatement(lines: readonly string[], from: number, to: number): number {
  let end = to;
  while (end > from + 1 && /^\s*(#|$)/.test(lines[end - 1] ?? "")) end--;
  return end;
}

function setKeys(lines: string[], from: number, to: number, before: TomlTable, changes: TomlTable): void {
  let end = to;
  for (const [key, value] of Object.entries(changes)) {
    const fresh = value === null ? [] : statement({ [key]: value });
    const at = lines.findIndex((line, index) => index >= from && index < end && keyOf(line) === key);
    if (at !== -1) {
      const span = spanOf(lines, at, end, { [key]: before[key] });
      const comment = span === 1 ? commentOf(lines[at] ?? "", { [key]: before[key] }) : "";
      if (fresh.length === 1) fresh[0] = `${fresh[0] ?? ""}${comment}`;
      lines.splice(at, span, ...fresh);
      end += fresh.length - span;
    } else if (fresh.length > 0) {
      const place = placeFor(lines, from, end);
      // What is glued to the next table stays apart from the new line.
      if (from === 0 && /^\s*[#[]/.test(lines[place] ?? "")) fresh.push("");
      lines.splice(place, 0, ...fresh);
      end += fresh.length;
    }
  }
}

/** Behind the last statement; or behind the comments that open the file, but not between a table and its comments. */
function placeFor(lines: readonly string[], from: number, end: number): number {
  const last = lastStatement(lines, from - 1, end);
  if (from > 0 || last > 0) return last;
  let above = end;
  if (end < lines.length) while (above > 0 && /^\s*#/.test(lines[above - 1] ?? "")) above--;
  while (above > 0 && (lines[above - 1] ?? "").trim() === "") above--;
  return above;
}

function keyOf(line: string): string | null {
  return /^\s*"?([\w-]+)"?\s*=/.exec(line)?.[1] ?? null;
}

/** How many lines a statement takes: the fewest that say what it said. */
function spanOf(lines: readonly string[], at: number, end: number, meaning: TomlTable): number {
  for (let span = 1; at + span <= end; span++) {
    if (isDeepStrictEqual(tryParse(lines.slice(at, at + span).join("\n")), plain(meaning))) return span;
  }
  return 1; // the comparison at the end will notice
}

/** The comment behind a statement, with the space before it. */
function commentOf(line: string, meaning: TomlTable): string {
  for (const { index } of line.matchAll(/\s*#/g)) {
    if (isDeepStrictEqual(tryParse(line.slice(0, index)), plain(meaning))) return line.slice(index);
  }
  return "";
}

function changedKeys(before: TomlTable, after: TomlTable): TomlTable {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => name !== "projects",
  );
  const changed = names.filter((name) => !isDeepStrictEqual(before[name] ?? null, after[name] ?? null));
  return Object.fromEntries(changed.map((name) => [name, after[name] ?? null]));
}

function statement(table: TomlTable): string[] {
  return stringify(table).trimEnd().split("\n");
}

function withoutNull(table: TomlTable): TomlTable {
  return Object.fromEntries(
    Object.entries(table).filter(([, value]) => value !== null && value !== undefined),
  );
}

function tablesOf({ projects }: TomlTable): TomlTable[] {
  return Array.isArray(projects) ? (projects as TomlTable[]) : [];
}

function tryParse(text: string): unknown {
  try {
    return plain(parse(text));
  } catch {
    return undefined;
  }
}

/** The parser gives objects without a prototype, which would not compare as equal. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}
