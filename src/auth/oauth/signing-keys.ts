/** The keys of the authorization server: made once, kept with the sign-ins, so that tokens outlive a restart. */
import { randomBytes } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import { nanoid } from "nanoid";
import { z } from "zod";
import { readFact, writeFact } from "./database.ts";

export const SIGNING_ALGORITHM = "ES256";

export interface OAuthKeys {
  /** Private: signs access tokens. */
  readonly signing: JWK;
  readonly cookies: readonly string[];
}

const stored = z.object({
  version: z.literal(1),
  signing: z.looseObject({ kty: z.literal("EC"), kid: z.string(), d: z.string() }),
  cookies: z.array(z.string().min(32)).min(1),
});

export async function loadKeys(sql: DatabaseSync): Promise<OAuthKeys> {
  const kept = readFact(sql, "keys");
  if (kept !== null) return stored.parse(JSON.parse(kept));
  const { privateKey } = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true });
  const signing = { ...(await exportJWK(privateKey)), kid: nanoid(), use: "sig", alg: SIGNING_ALGORITHM };
  const made = { version: 1, signing, cookies: [randomBytes(32).toString("base64url")] } as const;
  writeFact(sql, "keys", JSON.stringify(made));
  return made;
}
