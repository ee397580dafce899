import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createTokenVerifier,
  makeToken,
  REMEMBERED_MS,
  type TokenVerifier,
} from "../../src/auth/created-token.ts";
import { openTokenStore, type StoredToken, type TokenStore } from "../../src/auth/token-store.ts";
import type { Log } from "../../src/lib/log.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";

const DAY_MS = 86_400_000;
const refused = { ok: false, failure: { code: "wrong_credential" } };

let directory: string;
let clock: FakeClock;
let verifier: TokenVerifier;
let warnings: string[];
let stores: TokenStore[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tokens-"));
  clock = createFakeClock();
  warnings = [];
  stores = [];
  const note = (fields: object, message: string): void =>
    void warnings.push(message + JSON.stringify(fields));
  const log: Log = { debug() {}, info() {}, warn: note, error: note };
  verifier = createTokenVerifier(directory, clock, log);
});
afterEach(async () => {
  verifier.close();
  for (const store of stores) store.close();
  await rm(directory, { recursive: true, force: true });
});

/** As another process would have it. */
function otherHand(): TokenStore {
  const store = openTokenStore(directory);
  stores.push(store);
  return store;
}

function create(name = "phone", scope: "read" | "write" = "read", days = 30): string {
  const { text, stored } = makeToken({ name, scope, expiresAt: clock.now() + days * DAY_MS }, clock.now());
  expect(otherHand().add(stored)).toEqual({ ok: true, value: null });
  return text;
}

describe("a created token", () => {
  it.each([
    ["read", ["read"]],
    ["write", ["read", "write"]],
  ] as const)("of scope %s lets a caller of its own in", async (scope, scopes) => {
    const verdict = await verifier.verify(create("phone", scope));
    const [tokenId] = otherHand()
      .list()
      .map((token) => token.tokenId);
    expect(verdict).toEqual({
      ok: true,
      value: { subject: `token:${tokenId}`, scopes, via: "created-token" },
    });
  });

  it("counts although it was made after the first look", async () => {
    expect(await verifier.verify(makeToken({ name: "x", scope: "read", expiresAt: 1 }, 0).text)).toEqual(
      refused,
    );
    expect(await verifier.verify(create())).toMatchObject({ ok: true });
  });

  it("is worth nothing a tenth of a second after another process has revoked it, by name or by id", async () => {
    const tokens = { phone: create("phone"), laptop: create("laptop") };
    for (const token of Object.values(tokens))
      expect(await verifier.verify(token)).toMatchObject({ ok: true });
    const { tokenId } = otherHand()
      .list()
      .find(({ name }) => name === "laptop") ?? { tokenId: "" };
    expect(otherHand().revoke("phone", clock.now())).toMatchObject({ name: "phone" });
    await clock.advance(REMEMBERED_MS);
    expect(await verifier.verify(tokens.phone)).toEqual(refused);
    expect(await verifier.verify(tokens.laptop)).toMatchObject({ ok: true });
    expect(otherHand().revoke(tokenId, clock.now())).toMatchObject({ name: "laptop" });
    await clock.advance(REMEMBERED_MS);
    expect(await verifier.verify(tokens.laptop)).toEqual(refused);
    expect(otherHand().revoke("phone", clock.now())).toBeNull();
  });

  it("ends on its day, to the millisecond", async () => {
    const token = create("phone", "read", 1);
    await clock.advance(DAY_MS - 1);
    expect(await verifier.verify(token)).toMatchObject({ ok: true });
    // A verdict that is remembered does not outlive the token.
    await clock.advance(1);
    expect(await verifier.verify(token)).toEqual(refused);
  });

  it("has its last use noted, to the minute", async () => {
    const token = create();
    const lastUse = () => otherHand().list()[0]?.lastUsedAt;
    expect(lastUse()).toBeNull();
    const first = clock.now();
    await verifier.verify(token);
    expect(lastUse()).toBe(first);
    await clock.advance(59_000);
    await verifier.verify(token);
    expect(lastUse()).toBe(first);
    await clock.advance(1_000);
    await verifier.verify(token);
    expect(lastUse()).toBe(first + 60_000);
  });

  it("is not mistaken for another that was right a moment ago", async () => {
    const token = create();
    expect(await verifier.verify(token)).toMatchObject({ ok: true });
    const last = token.endsWith("a") ? "b" : "a";
    expect(await verifier.verify(`${token.slice(0, -1)}${last}`)).toEqual(refused);
  });

  it("goes within a second when its file goes, and the next file's tokens count", async () => {
    const token = create();
    expect(await verifier.verify(token)).toMatchObject({ ok: true });
    for (const name of await readdir(directory)) await rm(join(directory, name));
    await clock.advance(1_000);
    expect(await verifier.verify(token)).toEqual(refused);
    const again = create("again");
    expect(await verifier.verify(again)).toMatchObject({ ok: true });
    expect(await verifier.verify(token)).toEqual(refused);
  });
});

describe("what is no created token", () => {
  it.each([
    "a-token-of-somebody-else",
    "cgb_",
    "cgb_x_y",
    `cgb_${"a".repeat(16)}_${"b".repeat(42)}`,
    "ey.ey.ey",
  ])("(%s) is left to others to judge", async (token) => {
    expect(await verifier.verify(token)).toBeNull();
  });

  it("is refused when it only looks like one", async () => {
    const token = create();
    const [prefix, id, secret = ""] = token.split("_");
    const last = secret.endsWith("a") ? "b" : "a";
    for (const wrong of [
      `${prefix}_${id}_${secret.slice(0, -1)}${last}`,
      `${prefix}_${"A".repeat(16)}_${secret}`,
      `${prefix}_${id}_${"A".repeat(43)}`,
      token.replace("cgb_", "cgb_").toUpperCase().replace("CGB", "cgb"),
    ]) {
      expect(await verifier.verify(wrong)).toEqual(refused);
    }
    expect(await verifier.verify(token)).toMatchObject({ ok: true });
  });

  it("is refused with a word to the owner when the file is broken", async () => {
    await writeFile(
      join(directory, "tokens.sqlite"),
      "this is no database, whatever its name says".repeat(100),
    );
    const { text } = makeToken({ name: "x", scope: "read", expiresAt: 9e12 }, 0);
    expect(await verifier.verify(text)).toEqual(refused);
    expect(warnings).toEqual([expect.stringContaining("cannot be read")]);
    expect(warnings.join()).not.toContain(text);
  });
});

describe("the file", () => {
  it("is its owner's alone, and holds no token", async () => {
    const token = create();
    await verifier.verify(token);
    const secret = token.split("_")[2] ?? "?";
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect((await readFile(path)).includes(secret)).toBe(false);
    }
  });

  it("has each name once among those that hold", () => {
    create("phone");
    const { stored } = makeToken(
      { name: "phone", scope: "read", expiresAt: clock.now() + DAY_MS },
      clock.now(),
    );
    expect(otherHand().add(stored)).toEqual({ ok: false, failure: "name_taken" });
    otherHand().revoke("phone", clock.now());
    create("phone");
  });

  it("gives the name of an expired one away", async () => {
    const old = create("phone", "read", 1);
    await clock.advance(DAY_MS);
    const next = create("phone");
    expect(await verifier.verify(old)).toEqual(refused);
    expect(await verifier.verify(next)).toMatchObject({ ok: true });
  });
});

it("the token in docs/storage.md is a record as it is stored", async () => {
  const page = await readFile(new URL("../../docs/storage.md", import.meta.url), "utf8");
  const example = JSON.parse(/```json token\n([\s\S]*?)```/.exec(page)?.[1] ?? "{}") as StoredToken;
  const store = otherHand();
  expect(store.add(example)).toMatchObject({ ok: true });
  expect(store.list()).toEqual([example]);
});

it("tokens are long, and no two are alike", () => {
  const tokens = new Set(
    Array.from({ length: 1_000 }, () => makeToken({ name: "x", scope: "read", expiresAt: 1 }, 0).text),
  );
  expect(tokens.size).toBe(1_000);
  for (const token of tokens) expect(token).toMatch(/^cgb_[0-9A-Za-z]{16}_[0-9A-Za-z]{43}$/);
});
