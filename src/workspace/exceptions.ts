/**
 * The owner's exceptions from the secret scan: one file, by its path and its very content, with a reason and an end.
 * Reads and writes where they are kept, and takes them off a scan's findings. Whatever is in doubt is no exception:
 * a changed file, a link, a directory, a list that others could have written. Never a pattern, never a whole project.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, realpath, stat, type FileHandle } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { replaceFile } from "../lib/replace-file.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { isInside } from "./directory.ts";
import type { ScanFinding } from "./scan.ts";

const line = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^\P{Cc}*$/u);

const secretException = z.strictObject({
  /** The project's root, without links. */
  root: z.string().startsWith("/").max(4096),
  /** Relative to the root, with `/`, as the scan reports it. */
  path: z.string().min(1).max(4096),
  /** What the owner was shown; another kind of secret in the same file blocks. */
  kinds: z.array(line(64)).min(1).max(64),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  reason: line(500),
  by: line(128),
  madeAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
const exceptionsFile = z.strictObject({
  version: z.literal(1),
  exceptions: z.array(secretException).max(10_000),
});

export type SecretException = z.infer<typeof secretException>;

const MAX_LIST_BYTES = 8 * 1024 * 1024;
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
const TO_READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** What an exception looks at in a finding. */
type Found = Pick<ScanFinding, "path" | "reason"> & { readonly kind: string };

/**
 * The findings that no exception covers. `root` is the project's root without links, `now` is in ms since the epoch.
 * Reads only files that an exception names; `hashOf` is for who has read them already.
 */
export async function applyExceptions<F extends Found>(
  root: string,
  findings: readonly F[],
  exceptions: readonly SecretException[],
  now: number,
  hashOf = hashContent,
): Promise<F[]> {
  const hashes = new Map<string, string | null>();
  const left: F[] = [];
  for (const finding of findings) {
    const candidates = exceptions.filter((exception) => mayCover(exception, root, finding, now));
    if (candidates.length > 0 && !hashes.has(finding.path)) {
      hashes.set(finding.path, await hashOf(root, finding.path));
    }
    const content = hashes.get(finding.path) ?? null;
    if (!candidates.some(({ sha256 }) => sha256 === content)) left.push(finding);
  }
  return left;
}

function mayCover(exception: SecretException, root: string, finding: Found, now: number): boolean {
  return (
    finding.reason !== "link" &&
    exception.root === root &&
    exception.path === finding.path &&
    exception.kinds.includes(finding.kind) &&
    Date.parse(exception.expiresAt) > now
  );
}

/** SHA-256 of a regular file in the project; null for links, anything else, what is larger than 64 MiB or unreadable. */
export async function hashContent(root: string, path: string): Promise<string | null> {
  const full = join(root, path);
  let file: FileHandle | null = null;
  try {
    if ((await realpath(full)) !== full) return null;
    file = await open(full, TO_READ);
    if (!(await file.stat()).isFile()) return null;
    const hash = createHash("sha256");
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let total = 0; total <= MAX_FILE_BYTES;) {
      const { bytesRead } = await file.read(chunk, 0, chunk.length, total);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(chunk.subarray(0, bytesRead));
      total += bytesRead;
    }
    return null;
  } catch {
    return null; // then the finding stands
  } finally {
    await file?.close();
  }
}

/** The list as it is kept; [] where there is none. Refused, with the reason in words, when it cannot be trusted. */
export async function readExceptions(
  path: string,
  roots: readonly string[],
): Promise<Result<readonly SecretException[], string>> {
  try {
    const problem = await judgePlace(path, roots);
    if (problem !== null) return fail(problem);
    const text = await readOwnFile(path);
    if (text === null) return ok([]);
    if (!text.ok) return text;
    const parsed = exceptionsFile.safeParse(JSON.parse(text.value));
    return parsed.success
      ? ok(parsed.data.exceptions)
      : fail(`${path} is not a list that this version knows`);
  } catch (error) {
    if (isMissing(error)) return ok([]);
    return fail(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Replaces the list as a whole: whoever reads sees the old one or the new one. Throws where it cannot be written. */
export async function writeExceptions(path: string, exceptions: readonly SecretException[]): Promise<void> {
  const text = JSON.stringify(exceptionsFile.parse({ version: 1, exceptions }), null, 2);
  await replaceFile(path, `${text}\n`, 0o600);
}

/** What the model's commands, or another user, could write is no word of the owner's. */
async function judgePlace(path: string, roots: readonly string[]): Promise<string | null> {
  const directory = dirname(resolve(path));
  if (roots.some((root) => isInside(root, directory))) return `${path} lies inside a project`;
  const real = await realpath(directory);
  if (roots.some((root) => isInside(root, real))) return `${path} lies inside a project`;
  const found = await stat(real);
  if ((found.mode & 0o022) !== 0) return `others can write to ${directory}; run: chmod go-w`;
  return isForeign(found.uid) ? `${directory} belongs to another user` : null;
}

async function readOwnFile(path: string): Promise<Result<string, string> | null> {
  const file = await open(path, TO_READ).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
  if (file === null) return null;
  try {
    const found = await file.stat();
    if (!found.isFile() || found.nlink > 1) return fail(`${path} is no file of its own`);
    if (isForeign(found.uid)) return fail(`${path} belongs to another user`);
    if ((found.mode & 0o022) !== 0) return fail(`others can write to ${path}; run: chmod go-w`);
    if (found.size > MAX_LIST_BYTES) return fail(`${path} is too large`);
    return ok(await file.readFile("utf8"));
  } finally {
    await file.close();
  }
}

function isForeign(uid: number): boolean {
  return process.getuid !== undefined && uid !== process.getuid() && uid !== 0;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
