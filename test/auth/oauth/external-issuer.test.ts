import { createHmac, type webcrypto } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT, type JWK } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createExternalVerifier } from "../../../src/auth/oauth/external-issuer.ts";
import { silentLog } from "../../../src/lib/log.ts";
import { ask, callMcp, openHouse, publicUrl, resource, type House } from "./sign-in-house.ts";

/** An authorization server on this machine, as far as a resource sees one. */
let server: Server;
let issuer: string;
let keys: JWK[] = [];
let asked: string[] = [];
let rsa: webcrypto.CryptoKey;
let rsaPublic: webcrypto.CryptoKey;
let foreign: webcrypto.CryptoKey;
let house: House;

beforeAll(async () => {
  const pair = await generateKeyPair("RS256", { extractable: true });
  [rsa, rsaPublic] = [pair.privateKey, pair.publicKey];
  foreign = (await generateKeyPair("RS256")).privateKey;
  keys = [{ ...(await exportJWK(pair.publicKey)), kid: "k1", alg: "RS256", use: "sig" }];
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const body =
      request.url === "/tenant/.well-known/openid-configuration"
        ? { issuer, jwks_uri: `${issuer}/keys`, authorization_endpoint: `${issuer}/authorize` }
        : request.url === "/tenant/keys"
          ? { keys }
          : null;
    response
      .writeHead(body === null ? 404 : 200, { "content-type": "application/json" })
      .end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tenant`;
  house = await openHouse({ settings: { authIssuer: issuer } });
});
afterAll(async () => {
  await house.stop();
  server.close();
});

const seconds = (): number => Math.floor(Date.now() / 1000);

async function token(
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  key = rsa,
): Promise<string> {
  const all = {
    iss: issuer,
    aud: resource,
    sub: "user-1",
    iat: seconds(),
    exp: seconds() + 600,
    scope: "read write",
    ...claims,
  };
  const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new SignJWT(kept)
    .setProtectedHeader({ alg: "RS256", kid: "k1", typ: "at+jwt", ...header })
    .sign(key);
}

async function hmac(): Promise<string> {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg: "HS256", kid: "k1", typ: "at+jwt" })}.${(await token()).split(".")[1]}`;
  return `${signed}.${createHmac("sha256", await exportSPKI(rsaPublic))
    .update(signed)
    .digest("base64url")}`;
}

describe("an authorization server of the owner's own", () => {
  it("is named in the metadata, and the built-in one is not there", async () => {
    const metadata = await ask(house.port, "/.well-known/oauth-protected-resource/mcp");
    expect(JSON.parse(metadata.body)).toMatchObject({ resource, authorization_servers: [issuer] });
    for (const path of ["/.well-known/oauth-authorization-server", "/oauth/authorize", "/oauth/jwks"]) {
      expect((await ask(house.port, path)).status).toBe(404);
    }
    const refused = await callMcp(house.port, null);
    expect(refused.headers["www-authenticate"]).toContain(
      `${publicUrl}/.well-known/oauth-protected-resource/mcp`,
    );
  });

  it("vouches with its tokens, and is asked for its keys once", async () => {
    asked = [];
    for (let count = 0; count < 5; count += 1) {
      expect((await callMcp(house.port, await token({ jti: String(count) }))).status).toBe(200);
    }
    expect((await callMcp(house.port, await token({ scope: undefined, scp: ["read"] }))).status).toBe(200);
    expect((await callMcp(house.port, await token({ aud: [resource, "other"] }))).status).toBe(200);
    expect((await callMcp(house.port, await token({}, { typ: "JWT" }))).status).toBe(200);
    expect(asked.filter((path) => path === "/tenant/keys").length).toBeLessThanOrEqual(1);
  });

  it.each<[string, () => Promise<string> | string]>([
    ["for another audience", async () => token({ aud: "https://other.example" })],
    ["for nobody", async () => token({ aud: undefined })],
    ["of another issuer", async () => token({ iss: "https://evil.example" })],
    ["of no issuer", async () => token({ iss: undefined })],
    ["that is over", async () => token({ exp: seconds() - 120 })],
    ["without an end", async () => token({ exp: undefined })],
    ["that is not valid yet", async () => token({ nbf: seconds() + 600 })],
    ["of nobody", async () => token({ sub: undefined })],
    ["without a scope of ours", async () => token({ scope: "openid email" })],
    ["signed with another key", async () => token({}, {}, foreign)],
    ["with a key that it does not have", async () => token({}, { kid: "k2" }, foreign)],
    ["of another kind", async () => token({}, { typ: "dpop+jwt" })],
    [
      "not signed",
      () =>
        new UnsecuredJWT({
          iss: issuer,
          aud: resource,
          sub: "user-1",
          scope: "read",
          exp: seconds() + 60,
        }).encode(),
    ],
    ["HMAC with the public key", hmac],
  ])("does not vouch for a token %s", async (_what, make) => {
    expect((await callMcp(house.port, await make())).status).toBe(401);
  });
});

describe("what is asked of its tokens besides", () => {
  const verifier = (settings: { clients?: string[]; subjects?: string[] }) =>
    createExternalVerifier({
      issuer,
      audience: resource,
      clients: settings.clients ?? [],
      subjects: settings.subjects ?? [],
      fetch: globalThis.fetch,
      now: () => Date.now(),
      log: silentLog,
    });

  it("may be the client and the subject", async () => {
    const strict = verifier({ clients: ["chatgpt"], subjects: ["user-1"] });
    expect((await strict(await token({ client_id: "chatgpt" })))?.ok).toBe(true);
    expect((await strict(await token({ azp: "chatgpt" })))?.ok).toBe(true);
    expect((await strict(await token({ client_id: "other" })))?.ok).toBe(false);
    expect((await strict(await token({})))?.ok).toBe(false);
    expect((await strict(await token({ client_id: "chatgpt", sub: "user-2" })))?.ok).toBe(false);
  });

  it("makes each subject a caller of its own", async () => {
    const verify = verifier({});
    const [one, two] = [
      await verify(await token()),
      await verify(await token({ sub: "user-2", scope: "read" })),
    ];
    expect(one).toMatchObject({
      ok: true,
      value: { subject: `${issuer} user-1`, scopes: ["read", "write"], via: "oauth" },
    });
    expect(two).toMatchObject({ ok: true, value: { subject: `${issuer} user-2`, scopes: ["read"] } });
  });

  it("is none of its business where the token is no JWT", async () => {
    expect(await verifier({})("an-ordinary-token")).toBeNull();
  });

  it("lets nobody in while the server cannot be reached, or calls itself by another name", async () => {
    const made = await token();
    for (const fetch of [
      async () => Promise.reject(new Error("no network")),
      async () => Response.json({ issuer: "https://evil.example", jwks_uri: `${issuer}/keys` }),
      async () => new Response("<html>", { status: 200 }),
    ]) {
      const verify = createExternalVerifier({
        issuer,
        audience: resource,
        clients: [],
        subjects: [],
        fetch,
        now: () => Date.now(),
        log: silentLog,
      });
      expect(await verify(made)).toEqual({ ok: false, failure: { code: "wrong_credential" } });
    }
  });
});
