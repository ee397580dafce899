/**
 * Tokens that the owner creates by name, each a caller of its own: how one is made, and how a bearer token is found to
 * be one. Knows a token only while it is made or checked, and logs none.
 */
import { hash, timingSafeEqual } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { plainIds } from "../lib/plain-id.ts";
import { fail, ok } from "../lib/result.ts";
import type { VerifyToken } from "./bearer.ts";
import { scopesFor, type Caller, type Scope } from "./caller.ts";
import type { CheckedToken, StoredToken, TokenReader } from "./token-store.ts";

export interface TokenWish {
  readonly name: string;
  /** `write` includes `read`. */
  readonly scope: Scope;
  /** ms since the epoch */
  readonly expiresAt: number;
}

const newId = plainIds(16);
/** 256 bits. */
const newSecret = plainIds(43);
const tokenSyntax = /^cgb_([0-9A-Za-z]{16})_[0-9A-Za-z]{43}$/;

/** `text` is the token itself, for its owner's eyes, once; what is stored is the rest. */
export function makeToken(
  wish: TokenWish,
  now: number,
): { readonly text: string; readonly stored: StoredToken } {
  const tokenId = newId();
  const text = `cgb_${tokenId}_${newSecret()}`;
  return {
    text,
    stored: {
      ...wish,
      tokenId,
      hash: hash("sha256", text),
      createdAt: now,
      lastUsedAt: null,
      revokedAt: null,
    },
  };
}

export function isLive({ expiresAt, revokedAt }: CheckedToken, now: number): boolean {
  return revokedAt === null && now < expiresAt;
}

const NOTE_USE_EVERY_MS = 60_000;
/** A busy caller's token is not looked up for every call; whoever revokes one waits for longer than this. */
export const REMEMBERED_MS = 100;

interface Remembered {
  readonly digest: Buffer;
  readonly verdict: { readonly ok: true; readonly value: Caller };
  readonly expiresAt: number;
  /** Monotonic. */
  readonly until: number;
}

export interface TokenVerifier {
  readonly verify: VerifyToken;
  close(): void;
}

/** Looks at the store again and again, so that a token revoked by another process is worth nothing a moment later. */
export function createTokenVerifier(directory: string, clock: Clock, log: Log): TokenVerifier {
  // Loaded by the first token that looks like one of these: the start of the bridge does not wait for it.
  let opening: Promise<TokenReader> | null = null;
  let reader: TokenReader | null = null;
  const remembered = new Map<string, Remembered>();
  const notedAt = new Map<string, number>();

  return {
    async verify(token) {
      const tokenId = tokenSyntax.exec(token)?.[1];
      if (tokenId === undefined) return null;
      const digest = hash("sha256", token, "buffer");
      const now = clock.now();
      const known = remembered.get(tokenId);
      if (known !== undefined && clock.monotonic() < known.until && now < known.expiresAt) {
        if (timingSafeEqual(known.digest, digest)) return known.verdict;
      }
      try {
        reader ??= await (opening ??= openReader(directory, clock));
        const stored = reader.store()?.find(tokenId) ?? null;
        if (stored === null || !matches(stored, digest) || !isLive(stored, now)) {
          return fail({ code: "wrong_credential" });
        }
        noteUse(tokenId, now);
        const verdict = ok(toCaller(tokenId, stored.scope));
        const until = clock.monotonic() + REMEMBERED_MS;
        remembered.set(tokenId, { digest, verdict, expiresAt: stored.expiresAt, until });
        return verdict;
      } catch (error) {
        log.error({ error: String(error) }, "the created tokens cannot be read, so none of them is let in");
        return fail({ code: "wrong_credential" });
      }
    },
    close() {
      reader?.close();
    },
  };

  function noteUse(tokenId: string, now: number): void {
    if (Math.abs(now - (notedAt.get(tokenId) ?? -Infinity)) < NOTE_USE_EVERY_MS) return;
    notedAt.set(tokenId, now);
    try {
      reader?.store()?.noteUse(tokenId, now);
    } catch (error) {
      log.warn({ tokenId, error: String(error) }, "the use of a token could not be noted");
    }
  }
}

async function openReader(directory: string, clock: Clock): Promise<TokenReader> {
  const { createTokenReader } = await import("./token-store.ts");
  return createTokenReader(directory, () => clock.monotonic());
}

function matches(stored: CheckedToken, digest: Buffer): boolean {
  return timingSafeEqual(Buffer.from(stored.hash, "hex"), digest);
}

function toCaller(tokenId: string, scope: Scope): Caller {
  return {
    subject: `token:${tokenId}`,
    scopes: scopesFor(scope),
    via: "created-token",
  };
}
