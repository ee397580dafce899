/**
 * Resolves one symbolic link and looks at what it leads to. Never walks out of the project: of a directory outside it
 * reads the names of the first level only.
 */
import { readlink, realpath as realpathCallback, stat } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";
import type { NameJudgement, SecretKind } from "../policy/secret-kinds.ts";
import { judgeLinkTarget, type LinkPlaces } from "../policy/secret-links.ts";
import { judgeName } from "../policy/secret-names.ts";
import { lookAt } from "./scan-look.ts";
import { toFsPath, toText } from "./walk.ts";

const realpath = promisify(realpathCallback.native);
const readlinkOf = promisify(readlink);
const statOf = promisify(stat);

export type LinkResult =
  | { readonly kind: "clean" }
  | {
      readonly kind: "finding";
      readonly secret: SecretKind;
      readonly verdict: "block" | "warn";
      readonly reason: "name" | "link";
    }
  /** A file outside the project that nothing speaks against, apart from where it lies. */
  | { readonly kind: "outside-file"; readonly target: string }
  | { readonly kind: "failed"; readonly code: string };

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
  if (judgement.kind === "private") return found("link", "block");
  const stats = await statOf(target).catch(() => null);
  if (judgement.kind === "inside") {
    if (own === null || own.verdict === "allow" || stats?.isDirectory() === true) return { kind: "clean" };
    return fromName(stats?.isFile() === true ? await lookAt(target, own) : own, "name");
  }
  if (stats === null) return found("link", "warn");
  if (stats.isDirectory()) return judgeOutsideDirectory(target);
  const names = [judgement.name, own].filter((name) => name !== null && name.verdict !== "allow");
  for (const name of names) {
    const seen = name === null ? null : stats.isFile() ? await lookAt(target, name) : name;
    if (seen?.verdict === "block") return found(seen.kind, "block");
  }
  return stats.isFile() ? { kind: "outside-file", target } : found("link", "warn");
}

/** A link to nothing is judged by where it points: what is not there yet may come. */
async function judgeUnresolved(link: string, code: string, places: LinkPlaces): Promise<LinkResult> {
  if (code === "ELOOP") return { kind: "clean" };
  if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "EACCES" && code !== "EPERM")
    return { kind: "failed", code };
  const text = await readlinkOf(toFsPath(link)).catch(() => null);
  if (text === null) return { kind: "clean" };
  const judgement = judgeLinkTarget(resolve(dirname(toText(link)), text), places);
  if (judgement.kind === "inside") return { kind: "clean" };
  const secret = judgement.kind === "private" || judgement.name?.verdict === "block";
  const there = code === "EACCES" || code === "EPERM";
  return found("link", secret && there ? "block" : "warn");
}

const MAX_OUTSIDE_NAMES = 5_000;

async function judgeOutsideDirectory(target: string): Promise<LinkResult> {
  const entries = await readdir(target, { withFileTypes: true }).catch(() => null);
  if (entries === null) return found("link", "warn");
  if (entries.length > MAX_OUTSIDE_NAMES)
    return { kind: "failed", code: "a link leads to a very large directory" };
  const parents = target.split("/").slice(1);
  for (const entry of entries) {
    const name = entry.isDirectory() ? null : judgeName(entry.name, parents);
    if (name?.verdict !== "block") continue;
    const seen = entry.isFile() ? await lookAt(`${target}/${entry.name}`, name) : name;
    if (seen?.verdict === "block") return found(seen.kind, "block");
  }
  return found("link", "warn");
}

function fromName(seen: NameJudgement | null, reason: "name" | "link"): LinkResult {
  if (seen === null || seen.verdict === "allow") return { kind: "clean" };
  return { kind: "finding", secret: seen.kind, verdict: seen.verdict, reason };
}

function found(secret: SecretKind, verdict: "block" | "warn"): LinkResult {
  return { kind: "finding", secret, verdict, reason: "link" };
}
