import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/lib/clock.ts";
import { ask, createAuthorization, openHouse, postForm, publicUrl, type House } from "./sign-in-house.ts";

let house: House;
let consentPath: string;
beforeAll(async () => {
  house = await openHouse();
  consentPath = String((await ask(house.port, createAuthorization().address)).headers.location);
});
afterAll(async () => house.stop());

const navigation = {
  "sec-fetch-site": "cross-site",
  "sec-fetch-mode": "navigate",
  "sec-fetch-dest": "document",
};

describe("a browser that another site sends", () => {
  it("comes in at the two pages where signing in begins, and nowhere else", async () => {
    const { address } = createAuthorization();
    expect((await ask(house.port, address, { headers: navigation })).status).toBe(303);
    // Without its cookie, so the page itself says no.
    expect((await ask(house.port, consentPath, { headers: navigation })).status).toBe(400);
    for (const path of [
      "/mcp",
      "/healthz",
      "/oauth/jwks",
      "/.well-known/oauth-authorization-server",
      "/oauth/authorize-not",
    ]) {
      const answer = await ask(house.port, path, { headers: navigation });
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.body)).toMatchObject({ error: expect.anything() });
    }
  });

  it.each([
    ["an image", { "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" }],
    ["a frame", { "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" }],
    [
      "a script's fetch",
      { "sec-fetch-mode": "cors", "sec-fetch-dest": "empty", origin: "https://evil.example" },
    ],
    [
      "a form",
      { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document", origin: "https://evil.example" },
    ],
  ])("is refused as %s", async (_what, headers) => {
    const { address } = createAuthorization();
    const answer = await ask(house.port, address, {
      headers: { "sec-fetch-site": "cross-site", ...headers },
    });
    expect(answer.status).toBe(403);
  });

  it("cannot send a form, with any content", async () => {
    for (const path of ["/oauth/token", "/oauth/revoke", consentPath]) {
      expect((await postForm(house.port, path, { grant_type: "refresh_token" }, navigation)).status).toBe(
        403,
      );
      expect((await postForm(house.port, path, {}, { origin: "null" })).status).toBe(403);
    }
    const preflight = { origin: "https://evil.example", "access-control-request-method": "POST" };
    const answer = await ask(house.port, "/oauth/token", { method: "OPTIONS", headers: preflight });
    expect(answer.status).toBe(403);
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  });
});

describe("every answer of the authorization server", () => {
  it.each<[string, string, Record<string, string>]>([
    ["GET", "/oauth/authorize", {}],
    ["GET", "/oauth/authorize/nobody", {}],
    ["GET", "/oauth/consent/nobody", {}],
    ["POST", "/oauth/token", { "content-type": "application/x-www-form-urlencoded" }],
    ["POST", "/oauth/token", { "content-type": "application/json" }],
    [
      "POST",
      "/oauth/token",
      { "content-type": "application/x-www-form-urlencoded", authorization: "Basic !!!" },
    ],
    ["POST", "/oauth/revoke", { "content-type": "application/x-www-form-urlencoded" }],
    ["POST", "/oauth/register", { "content-type": "application/json" }],
    ["GET", "/oauth/token", {}],
    ["DELETE", "/oauth/authorize", {}],
    ["GET", "/oauth/session/end", {}],
    ["GET", "/oauth/me", {}],
    ["POST", "/oauth/token/introspection", {}],
    ["POST", "/oauth/device/auth", {}],
    ["GET", "/auth", {}],
    ["GET", "/me", {}],
    ["GET", "/oauth/", {}],
    ["GET", "/oauth/authorize/../jwks", {}],
    ["GET", "/oauth/%61uthorize", {}],
    ["GET", `/oauth/authorize?${"a=b&".repeat(500)}`, {}],
    ["GET", "/oauth/authorize?client_id=%00%ff", {}],
    ["GET", "/.well-known/nothing", {}],
    ["POST", "/.well-known/oauth-protected-resource", {}],
  ])(
    "%s %s has a request id, no stack, no path of this machine, and is JSON or one of our pages",
    async (method, path, headers) => {
      const answer = await ask(house.port, path, {
        method,
        headers,
        ...(method === "POST" ? { body: "{}" } : {}),
      });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(answer.headers["x-request-id"]).toMatch(/^[\w-]{21}$/);
      expect(answer.headers["cache-control"]).toContain("no-store");
      expect(answer.body).not.toMatch(/ at \S+:\d+|node_modules|\/root\/|\/home\/|oidc-provider|googleapis/);
      if (answer.headers["content-type"]?.includes("json") === true) JSON.parse(answer.body);
      else expect(answer.body).toMatch(/^<!doctype html>/);
      expect((await ask(house.port, "/healthz")).status).toBe(200);
    },
  );

  it("does not follow what a proxy says about scheme and host", async () => {
    const headers = {
      "x-forwarded-host": "evil.example",
      "x-forwarded-proto": "http",
      forwarded: "host=evil.example",
    };
    const metadata = await ask(house.port, "/.well-known/oauth-authorization-server", { headers });
    expect(JSON.parse(metadata.body)).toMatchObject({
      issuer: publicUrl,
      token_endpoint: `${publicUrl}/oauth/token`,
    });
    const answer = await ask(house.port, createAuthorization().address, { headers });
    expect(answer.headers.location).toMatch(/^\/oauth\/consent\//);
    for (const cookie of answer.headers["set-cookie"] ?? []) {
      expect(cookie).toMatch(/; secure/i);
      expect(cookie).toMatch(/; httponly/i);
      expect(cookie).toMatch(/; samesite=lax/i);
    }
  });

  it("lets so many begin to sign in and no more, and the others come later", async () => {
    let now = 0;
    const other = await openHouse({ clock: { ...systemClock, monotonic: () => now } });
    try {
      const { address } = createAuthorization();
      const begin = async () => ask(other.port, address);
      const first = await Promise.all(Array.from({ length: 300 }, begin));
      expect(first.every(({ status }) => status === 303)).toBe(true);
      const refused = await begin();
      expect(refused.status).toBe(429);
      expect(refused.headers["retry-after"]).toBe("1");
      expect((await ask(other.port, "/oauth/jwks")).status).toBe(200);
      now += 1_000;
      expect((await begin()).status).toBe(303);
    } finally {
      await other.stop();
    }
  });

  it("fetches sixty documents a minute at most, however many clients are asked for", async () => {
    const other = await openHouse({ clock: { ...systemClock, monotonic: () => 0 } });
    try {
      const fields = { grant_type: "refresh_token", refresh_token: "x" };
      for (let count = 0; count < 80; count += 1) {
        const client = `https://chatgpt.com/oauth/${count}/client.json`;
        expect((await postForm(other.port, "/oauth/token", { ...fields, client_id: client })).status).toBe(
          400,
        );
      }
      expect(other.fetched).toHaveLength(60);
    } finally {
      await other.stop();
    }
  });

  it("refuses another host name", async () => {
    const answer = await ask(house.port, "/.well-known/oauth-authorization-server", {
      headers: { host: "evil.example" },
    });
    expect(answer.status).toBe(403);
  });

  it("refuses a body that is too large, and one that waits to be asked for is asked for", async () => {
    const large = await postForm(house.port, "/oauth/token", { grant_type: "x".repeat(100_000) });
    expect(large.status).toBe(400);
    const expected = await postForm(
      house.port,
      "/oauth/token",
      { grant_type: "refresh_token" },
      { expect: "100-continue" },
    );
    expect(expected.status).toBe(400);
  });
});
