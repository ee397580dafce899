/**
 * Adds a table to Codex's config.toml: at its end, as text, so that every other byte stays as it is. Proven by reading both
 * before anything is written; a file that cannot be read, or that has such a server already, is left alone.
 */
import { readFile, realpath } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { replaceFile } from "../lib/replace-file.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { SERVER_NAME } from "./codex-config-table.ts";

type Toml = Readonly<Record<string, unknown>>;

/** The failure is one plain line for the owner. */
export async function addTable(path: string, table: string): Promise<Result<"added" | "there", string>> {
  const { parse } = await import("smol-toml");
  const target = await realpath(path).catch(() => path);
  const found = await readIfThere(target);
  if (!found.ok) return found;
  const text = found.value ?? "";
  const wanted = serverOf(parse(table));
  let before: Toml;
  try {
    before = parse(text);
  } catch (error) {
    return fail(
      `${path} cannot be read: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`,
    );
  }
  const there = serverOf(before);
  if (there !== undefined) {
    if (isDeepStrictEqual(there, wanted)) return ok("there");
    return fail(`${path} has another MCP server called ${SERVER_NAME}`);
  }
  const gap = text === "" ? "" : text.endsWith("\n") ? "\n" : "\n\n";
  const whole = `${text}${gap}${table}`;
  if (!isOnlyAddition(before, whole, wanted, parse)) {
    return fail(`${path} is written in a way to which nothing can be added at its end`);
  }
  try {
    await replaceFile(target, whole, "kept");
  } catch (error) {
    return fail(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
  return ok("added");
}

function isOnlyAddition(
  before: Toml,
  whole: string,
  wanted: unknown,
  parse: (text: string) => Toml,
): boolean {
  try {
    const { mcp_servers: servers, ...rest } = parse(whole);
    const { mcp_servers: serversBefore = {}, ...restBefore } = before;
    const expected = { ...(serversBefore as Toml), [SERVER_NAME]: wanted };
    return (
      isDeepStrictEqual({ ...rest }, { ...restBefore }) && isDeepStrictEqual(plain(servers), plain(expected))
    );
  } catch {
    return false;
  }
}

/** smol-toml's tables have no prototype. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}

function serverOf(config: Toml): unknown {
  const servers = config["mcp_servers"];
  return typeof servers === "object" && servers !== null ? (servers as Toml)[SERVER_NAME] : undefined;
}

async function readIfThere(path: string): Promise<Result<string | null, string>> {
  try {
    return ok(await readFile(path, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return ok(null);
    return fail(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
