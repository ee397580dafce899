import { createHmac, randomUUID, type webcrypto } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { exportJWK, exportSPKI, generateKeyPair, importJWK, SignJWT, UnsecuredJWT, type JWK } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  callMcp,
  obtainTokens,
  openHouse,
  publicUrl,
  resource,
  type House,
  type Tokens,
} from "./sign-in-house.ts";

let house: House;
let tokens: Tokens;
/** The bridge's own key: what is wrong with a token is then what its row says, and nothing else. */
let key: JWK;
let ownKey: webcrypto.CryptoKey;
let foreignKey: webcrypto.CryptoKey;
let rsaKey: webcrypto.CryptoKey;
let goodClaims: Record<string, unknown>;

beforeAll(async () => {
  house = await openHouse();
  tokens = await obtainTokens(house.port);
  const database = new DatabaseSync(join(house.directory, "oauth.sqlite"), { readOnly: true });
  const facts = database.prepare("SELECT value FROM facts WHERE name = 'keys'").get();
  database.close();
  key = JSON.parse(String(facts?.["value"])).signing;
  ownKey = (await importJWK(key, "ES256")) as webcrypto.CryptoKey;
  foreignKey = (await generateKeyPair("ES256")).privateKey;
  rsaKey = (await generateKeyPair("RS256")).privateKey;
  goodClaims = part(tokens.access_token, 1);
});
afterAll(async () => house.stop());

function part(token: string, index: number): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[index] ?? "", "base64url").toString());
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = (): number => Math.floor(Date.now() / 1000);

/** Signed by the bridge's own key, with other claims or another header; undefined takes one out. */
async function forge(claims: Record<string, unknown>, header: Record<string, unknown> = {}): Promise<string> {
  const merged = { ...goodClaims, ...claims };
  const kept = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined));
  return new SignJWT(kept)
    .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: String(key.kid), ...header })
    .sign(ownKey);
}

async function publicPem(): Promise<string> {
  const { d: _private, ...shared } = key;
  return exportSPKI((await importJWK(shared, "ES256", { extractable: true })) as webcrypto.CryptoKey);
}

/** Key confusion: the public key as the secret of an HMAC. */
async function hmac(secret: string | Buffer): Promise<string> {
  const signed = `${encode({ alg: "HS256", typ: "at+jwt", kid: key.kid })}.${encode(goodClaims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

const bad: readonly { name: string; make: () => Promise<string> | string }[] = [
  { name: "for another resource", make: async () => forge({ aud: "https://other.example/mcp" }) },
  { name: "for the issuer itself", make: async () => forge({ aud: publicUrl }) },
  { name: "for the resource with a slash", make: async () => forge({ aud: `${resource}/` }) },
  { name: "for the resource in other letters", make: async () => forge({ aud: resource.toUpperCase() }) },
  {
    name: "for this resource and another",
    make: async () => forge({ aud: [resource, "https://other.example/mcp"] }),
  },
  { name: "for nobody", make: async () => forge({ aud: undefined }) },
  { name: "of another issuer", make: async () => forge({ iss: "https://evil.example" }) },
  { name: "of the issuer with a slash", make: async () => forge({ iss: `${publicUrl}/` }) },
  { name: "of no issuer", make: async () => forge({ iss: undefined }) },
  { name: "that has expired", make: async () => forge({ exp: now() - 1 }) },
  { name: "that expired long ago", make: async () => forge({ exp: 1 }) },
  { name: "that never expires", make: async () => forge({ exp: undefined }) },
  { name: "whose end is a text", make: async () => forge({ exp: "2099-01-01" }) },
  { name: "that is not valid yet", make: async () => forge({ nbf: now() + 600 }) },
  { name: "that was issued tomorrow", make: async () => forge({ iat: now() + 86_400 }) },
  { name: "of somebody else", make: async () => forge({ sub: "somebody" }) },
  { name: "of nobody", make: async () => forge({ sub: undefined }) },
  { name: "of no client", make: async () => forge({ client_id: undefined }) },
  { name: "without a scope", make: async () => forge({ scope: undefined }) },
  { name: "with a scope that does not exist", make: async () => forge({ scope: "admin" }) },
  { name: "of a sign-in that never was", make: async () => forge({ grant: randomUUID() }) },
  { name: "of no sign-in", make: async () => forge({ grant: undefined }) },
  { name: "that is an id token (typ JWT)", make: async () => forge({}, { typ: "JWT" }) },
  { name: "without a type", make: async () => forge({}, { typ: undefined }) },
  {
    name: "signed with another key under this one's name",
    make: async () =>
      new SignJWT(goodClaims)
        .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: String(key.kid) })
        .sign(foreignKey),
  },
  {
    name: "signed with a key that it brings along (jwk)",
    make: async () => {
      const pair = await generateKeyPair("ES256", { extractable: true });
      return new SignJWT(goodClaims)
        .setProtectedHeader({ alg: "ES256", typ: "at+jwt", jwk: await exportJWK(pair.publicKey) })
        .sign(pair.privateKey);
    },
  },
  {
    name: "that says where its key is (jku)",
    make: async () =>
      new SignJWT(goodClaims)
        .setProtectedHeader({
          alg: "ES256",
          typ: "at+jwt",
          jku: "https://evil.example/jwks.json",
          kid: "evil",
        })
        .sign(foreignKey),
  },
  {
    name: "with a name of a key that is a path",
    make: async () =>
      new SignJWT(goodClaims)
        .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: "../../dev/null" })
        .sign(foreignKey),
  },
  {
    name: "signed with RSA",
    make: async () =>
      new SignJWT(goodClaims)
        .setProtectedHeader({ alg: "RS256", typ: "at+jwt", kid: String(key.kid) })
        .sign(rsaKey),
  },
  { name: "not signed at all (alg none)", make: () => new UnsecuredJWT(goodClaims).encode() },
  {
    name: "not signed, in other letters (alg nOnE)",
    make: () => `${encode({ alg: "nOnE", typ: "at+jwt" })}.${encode(goodClaims)}.`,
  },
  {
    name: "with the signature taken off",
    make: () => `${tokens.access_token.split(".").slice(0, 2).join(".")}.`,
  },
  { name: "HMAC with the public key as its secret (PEM)", make: async () => hmac(await publicPem()) },
  {
    name: "HMAC with the public key as its secret (JSON)",
    make: async () => {
      const { d: _private, ...shared } = key;
      return hmac(JSON.stringify(shared));
    },
  },
  { name: "HMAC with an empty secret", make: async () => hmac(Buffer.alloc(0)) },
  {
    name: "with a changed payload",
    make: () => {
      const [head, , signature] = tokens.access_token.split(".");
      return `${head}.${encode({ ...goodClaims, scope: "read write admin" })}.${signature}`;
    },
  },
  { name: "with a changed signature", make: () => `${tokens.access_token.slice(0, -4)}AAAA` },
  {
    name: "with an all-zero signature",
    make: () =>
      `${tokens.access_token.split(".").slice(0, 2).join(".")}.${Buffer.alloc(64).toString("base64url")}`,
  },
  {
    name: "with a critical header that is not known",
    make: async () => {
      const head = encode({ alg: "ES256", typ: "at+jwt", kid: key.kid, crit: ["x"], x: 1 });
      return `${head}.${tokens.access_token.split(".").slice(1).join(".")}`;
    },
  },
  { name: "that is a refresh token", make: () => tokens.refresh_token },
  {
    name: "whose payload is no JSON",
    make: () => `${tokens.access_token.split(".")[0]}.bm90IGpzb24.${tokens.access_token.split(".")[2]}`,
  },
  { name: "with four parts", make: () => `${tokens.access_token}.AAAA` },
  { name: "of nothing but dots", make: () => ".." },
];

describe("a token", () => {
  it("that the server gave out is let in, again and again", async () => {
    expect((await callMcp(house.port, tokens.access_token)).status).toBe(200);
    expect((await callMcp(house.port, tokens.access_token)).status).toBe(200);
    // The forge is a fair one: with nothing changed, its token is let in too.
    expect((await callMcp(house.port, await forge({ jti: "another" }))).status).toBe(200);
  });

  it.each(bad)("$name is not let in", async ({ make }) => {
    const answer = await callMcp(house.port, await make());
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toContain("resource_metadata=");
    expect(JSON.parse(answer.body)).toMatchObject({ error: { data: { code: "wrong_credential" } } });
    // Not even a good one right before it helps.
    expect((await callMcp(house.port, tokens.access_token)).status).toBe(200);
  });

  it("counts as bad in at least 30 ways here", () => {
    expect(bad.length).toBeGreaterThanOrEqual(30);
  });
});
