/**
 * The word by which the owner shows that it is them: set by them, or made here and kept as a salted hash. Never logged,
 * and never readable afterwards: a new one is made instead.
 */
import { hash, randomBytes, randomInt, scrypt, timingSafeEqual } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { readFact, writeFact } from "./database.ts";

/** Nothing that is mistaken for something else when it is read from one screen and typed into another. */
const LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789";
const LENGTH = 12;
const FACT = "passcode";
const stored = z.object({ version: z.literal(1), salt: z.string(), hash: z.string() });

/** Takes the place of the one before. The only moment in which it can be read. */
export async function makePasscode(sql: DatabaseSync): Promise<string> {
  const letters = Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join("");
  const salt = randomBytes(16);
  const derived = await derive(letters, salt);
  const kept = { version: 1, salt: salt.toString("base64url"), hash: derived.toString("base64url") };
  writeFact(sql, FACT, JSON.stringify(kept));
  return letters.replaceAll(/.{4}(?=.)/g, "$&-");
}

export function hasPasscode(sql: DatabaseSync): boolean {
  return readFact(sql, FACT) !== null;
}

/** `own`: the owner's, which alone counts where it is set. */
export function createPasscodeCheck(
  sql: DatabaseSync,
  own: string | null,
): (typed: string) => Promise<boolean> {
  const expected = own === null ? null : hash("sha256", own, "buffer");
  return async (typed) => {
    if (expected !== null) return timingSafeEqual(expected, hash("sha256", typed, "buffer"));
    // Read each time: the owner may have made a new one meanwhile, in another process.
    const fact = readFact(sql, FACT);
    if (fact === null) return false;
    const kept = stored.parse(JSON.parse(fact));
    const letters = typed.toUpperCase().replaceAll(/[\s-]/g, "");
    const derived = await derive(letters, Buffer.from(kept.salt, "base64url"));
    return timingSafeEqual(derived, Buffer.from(kept.hash, "base64url"));
  };
}

async function derive(letters: string, salt: Buffer): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  scrypt(letters, salt, 32, (error, derived) => {
    if (error === null) resolve(derived);
    else reject(error);
  });
  return promise;
}
