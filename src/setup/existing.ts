/** The config file as it is before `setup` changes it: what it says, and where every project of it stands. Pure. */
import { basename } from "node:path";
import { parse } from "smol-toml";
import { fail, ok, type Result } from "../lib/result.ts";
import type { Reach, SecretsPolicy } from "./answers.ts";
import type { TomlTable } from "./toml-edit.ts";

export interface ExistingProject {
  /** Its place among the tables of `[[projects]]`, or null where `root` or `roots` names it. */
  readonly index: number | null;
  readonly name: string;
  readonly path: string;
  readonly write: boolean;
}

export interface Existing {
  /** null: there is no file yet. */
  readonly text: string | null;
  readonly values: TomlTable;
  readonly tables: readonly TomlTable[];
  readonly projects: readonly ExistingProject[];
  readonly secrets: SecretsPolicy | null;
  readonly reach: Reach | null;
}

/** The failure says in one line why the file cannot be read. */
export function parseExisting(text: string | null): Result<Existing, string> {
  let parsed: TomlTable;
  try {
    parsed = parse(text ?? "");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return fail(why.split("\n")[0] ?? why);
  }
  const { projects: listed, ...values } = parsed;
  const tables = Array.isArray(listed) ? listed.filter(isTable) : [];
  const mayWrite = values["allow_write"] === true;
  const roots = [values["root"], ...(Array.isArray(values["roots"]) ? (values["roots"] as unknown[]) : [])];
  const projects = [
    ...roots
      .filter((root) => typeof root === "string")
      .map((root) => toProject(null, rootTable(root), mayWrite)),
    ...tables.map((table, index) => toProject(index, table, mayWrite)),
  ];
  const { secrets } = values;
  return ok({
    text,
    values,
    tables,
    projects,
    secrets: secrets === "refuse" || secrets === "mask" || secrets === "off" ? secrets : null,
    reach: text === null ? null : reachOf(values),
  });
}

function toProject(index: number | null, table: TomlTable, mayWrite: boolean): ExistingProject {
  const path = typeof table["path"] === "string" ? table["path"] : "";
  const name = typeof table["name"] === "string" ? table["name"] : basename(path);
  return { index, name, path, write: typeof table["write"] === "boolean" ? table["write"] : mayWrite };
}

/** `name=/path` or a path, as `roots` takes both. */
function rootTable(root: string): TomlTable {
  const [, name, path] = /^([\w][\w.-]*)=(.+)$/s.exec(root) ?? [];
  return name === undefined || path === undefined ? { path: root } : { name, path };
}

function reachOf({ tunnel, cloudflared_hostname: hostname, public_url: address }: TomlTable): Reach {
  if (tunnel === "openai" || tunnel === "ngrok") return tunnel;
  if (tunnel !== "cloudflared") return "local";
  return hostname === undefined && address === undefined ? "quick" : "cloudflared";
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
