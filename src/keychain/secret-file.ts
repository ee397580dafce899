/**
 * Where a system has no keychain: one file that only its owner can read. Weaker than a keychain, and said so to the
 * owner: whoever reads the disk or runs as this user has the secrets. A file that others could read, or that is a link,
 * is refused.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { removeLeftOver, replaceFile } from "../lib/replace-file.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import type { SecretStore } from "./secret-store.ts";
import { isStorable } from "./secret-items.ts";

type Secrets = Readonly<Record<string, string>>;

const TO_READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export function createSecretFile(path: string): SecretStore {
  /** One change at a time: each replaces the whole file. */
  let last: Promise<unknown> = Promise.resolve();
  let cleaned: Promise<void> | null = null;

  async function change<T>(edit: (secrets: Secrets) => { secrets: Secrets | null; value: T }) {
    const run = async (): Promise<Result<T, string>> => {
      const read = await readSecrets(path);
      if (!read.ok) return read;
      const { secrets, value } = edit(read.value);
      try {
        if (secrets !== null) await writeSecrets(path, secrets);
        return ok(value);
      } catch (error) {
        return fail(toProblem(path, error));
      }
    };
    const mine = last.then(run);
    last = mine;
    return mine;
  }

  return {
    kind: "file",
    title: `the file ${path}`,
    async read(item) {
      await (cleaned ??= removeLeftOver(path));
      const read = await readSecrets(path);
      return read.ok ? ok(read.value[item.name] ?? null) : read;
    },
    async write(item, value) {
      if (!isStorable(value)) return fail("the value is not one line of plain text");
      return change((secrets) => ({ secrets: { ...secrets, [item.name]: value }, value: null }));
    },
    async remove(item) {
      return change((secrets) => {
        if (!Object.hasOwn(secrets, item.name)) return { secrets: null, value: false };
        const left = Object.entries(secrets).filter(([name]) => name !== item.name);
        return { secrets: Object.fromEntries(left), value: true };
      });
    },
  };
}

/** Loaded by whoever has such a file: a start with another store need not wait for zod. */
async function secretFile() {
  const { z } = await import("zod");
  return z.strictObject({ version: z.literal(1), secrets: z.record(z.string(), z.string()) });
}

async function readSecrets(path: string): Promise<Result<Secrets, string>> {
  try {
    const file = await open(path, TO_READ);
    try {
      const found = await file.stat();
      if (!found.isFile()) return fail(`${path} is no file`);
      if ((found.mode & 0o077) !== 0) return fail(`others can use ${path}; run: chmod 600`);
      if (isForeign(found.uid)) return fail(`${path} belongs to another user`);
      const schema = await secretFile();
      const parsed = schema.safeParse(JSON.parse(await file.readFile("utf8")));
      return parsed.success ? ok(parsed.data.secrets) : fail(`${path} is no list of secrets`);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return ok({});
    // What JSON.parse complains of may quote the file.
    return fail(error instanceof SyntaxError ? `${path} is no list of secrets` : toProblem(path, error));
  }
}

/** Replaces the file as a whole. Throws where it cannot be written. */
async function writeSecrets(path: string, secrets: Secrets): Promise<void> {
  const schema = await secretFile();
  await replaceFile(path, `${JSON.stringify(schema.parse({ version: 1, secrets }), null, 2)}\n`, 0o600);
}

function isForeign(uid: number): boolean {
  return process.getuid !== undefined && uid !== process.getuid();
}

function toProblem(path: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  return `${path} cannot be used (${code})`;
}
