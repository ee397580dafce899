/**
 * Resolves one symbolic link and looks at what it leads to. Never walks out of the project: of a directory outside it
 * reads the names of the first level only.
 */
import { readlink, realpath as realpathCallback, stat } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";
import type { NameJudgement } from "../policy/secret-kinds.ts";
import { judgeLinkTarget, type LinkPlaces } from "../policy/secret-links.ts";
import { judgeName } from "../policy/secret-names.ts";
import { lookAt, lookForTokens, type Sighting } from "./scan-look.ts";
import { toFsPath, toText } from "./walk.ts";

const realpath = promisify(realpathCallback.native);
const readlinkOf = promisify(readlink);
const statOf = promisify(stat);

export type LinkResult =
  | { readonly kind: "clean" }
  | { readonly kind: "finding"; readonly finding: Sighting }
  | { readonly kind: "failed"; readonly code: string };

const CLEAN: LinkResult = { kind: "clean" };
const BLOCK: LinkResult = { kind: "finding", finding: { kind: "link", verdict: "block", reason: "link" } };
const WARN: LinkResult = { kind: "finding", finding: { kind: "link", verdict: "warn", reason: "link" } };

/** `link` is the link's absolute path as bytes; `own` is what its own name says. */
export async function judgeLink(
  link: string,
  own: NameJudgement | null,
  places: LinkPlaces,
): Promise<LinkResult> {
  let target: string;
  try {
    target = await realpath(toFsPath(link));
  } catch (error) {
    return judgeUnresolved(link, (error as NodeJS.ErrnoException).code ?? "unknown", places);
  }
  const judgement = judgeLinkTarget(target, places);
  if (judgement.kind === "private") return BLOCK;
  const stats = await statOf(target).catch(() => null);
  const judge = (name: NameJudgement): Promise<Sighting | null> =>
    lookAt(target, stats?.isFile() === true ? name : { verdict: name.verdict, kind: name.kind });
  if (judgement.kind === "inside") {
    const seen = own === null || stats?.isDirectory() === true ? null : await judge(own);
    return seen === null ? CLEAN : { kind: "finding", finding: seen };
  }
  if (stats === null) return WARN;
  if (stats.isDirectory()) return judgeOutsideDirectory(target);
  for (const name of [judgement.name, own]) {
    const seen = name === null ? null : await judge(name);
    if (seen?.verdict === "block") return blocked(seen);
  }
  const token = stats.isFile() ? await lookForTokens(target) : null;
  return token === null ? WARN : blocked(token);
}

/** A link to nothing is judged by where it points: what is not there yet may come. */
async function judgeUnresolved(link: string, code: string, places: LinkPlaces): Promise<LinkResult> {
  if (code === "ELOOP") return CLEAN;
  const isMissing = code === "ENOENT" || code === "ENOTDIR";
  if (!isMissing && code !== "EACCES" && code !== "EPERM") return { kind: "failed", code };
  const text = await readlinkOf(toFsPath(link)).catch(() => null);
  if (text === null) return CLEAN;
  const judgement = judgeLinkTarget(resolve(dirname(toText(link)), text), places);
  if (judgement.kind === "inside") return CLEAN;
  return !isMissing && (judgement.kind === "private" || judgement.name?.verdict === "block") ? BLOCK : WARN;
}

const MAX_OUTSIDE_NAMES = 5_000;

async function judgeOutsideDirectory(target: string): Promise<LinkResult> {
  const entries = await readdir(target, { withFileTypes: true }).catch(() => null);
  if (entries === null) return WARN;
  if (entries.length > MAX_OUTSIDE_NAMES)
    return { kind: "failed", code: "a link leads to a very large directory" };
  const parents = target.split("/").slice(1);
  for (const entry of entries) {
    const name = entry.isDirectory() ? null : judgeName(entry.name, parents);
    if (name?.verdict !== "block") continue;
    const seen = entry.isFile() ? await lookAt(`${target}/${entry.name}`, name) : name;
    if (seen?.verdict === "block") return blocked(seen);
  }
  return WARN;
}

function blocked({ kind }: Pick<Sighting, "kind">): LinkResult {
  return { kind: "finding", finding: { kind, verdict: "block", reason: "link" } };
}
