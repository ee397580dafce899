import { describe, expect, it } from "vitest";
import { createAuthenticate } from "../../src/auth/bearer.ts";

const token = "a-token-of-at-least-32-characters-000";
const secret = "a-secret-of-at-least-32-characters-00";
const both = { token, noAuth: false, headerSecret: secret };
const bearer = (value: string): Record<string, string> => ({ authorization: `Bearer ${value}` });
const withSecret = (value: string): Record<string, string> => ({ "x-codex-gpt-bridge-secret": value });

async function outcome(
  credentials: Parameters<typeof createAuthenticate>[0],
  headers: Record<string, string>,
  url = "http://x/mcp",
) {
  const result = await createAuthenticate(credentials)(new Request(url, { headers }));
  return result.ok ? result.value.via : result.failure.code;
}

describe("the owner's credentials", () => {
  it.each([
    ["the right token", both, bearer(token), "static-token"],
    [
      "the scheme in any case and more than one space",
      both,
      { authorization: `bEaReR   ${token}` },
      "static-token",
    ],
    ["the right header secret", both, withSecret(secret), "header-secret"],
    [
      "the right secret beside a token meant for somebody else",
      both,
      { ...bearer("other"), ...withSecret(secret) },
      "header-secret",
    ],
    [
      "the right token beside a wrong secret",
      both,
      { ...bearer(token), ...withSecret("wrong") },
      "static-token",
    ],
    [
      "nothing, where no credential is asked for",
      { token: null, noAuth: true, headerSecret: null },
      {},
      "none",
    ],
  ] as const)("let in %s", async (_name, credentials, headers, via) => {
    expect(await outcome(credentials, headers)).toBe(via);
  });

  it.each([
    ["nothing", both, {}, "no_credential"],
    ["a wrong token", both, bearer("wrong"), "wrong_credential"],
    ["the token with one character missing", both, bearer(token.slice(0, -1)), "wrong_credential"],
    ["the token with one character more", both, bearer(`${token}0`), "wrong_credential"],
    ["the token in the wrong case", both, bearer(token.toUpperCase()), "wrong_credential"],
    ["an empty token", both, { authorization: "Bearer " }, "wrong_credential"],
    ["the scheme alone", both, { authorization: "Bearer" }, "wrong_credential"],
    ["the token without a scheme", both, { authorization: token }, "wrong_credential"],
    ["the token as Basic", both, { authorization: `Basic ${btoa(`x:${token}`)}` }, "wrong_credential"],
    [
      "two tokens, one of them right",
      both,
      { authorization: `Bearer ${token}, Bearer wrong` },
      "wrong_credential",
    ],
    ["the token after a tab", both, { authorization: `Bearer\t${token}` }, "wrong_credential"],
    ["the secret as a token", both, bearer(secret), "wrong_credential"],
    ["the token as a secret", both, withSecret(token), "wrong_credential"],
    ["an empty secret", both, withSecret(""), "wrong_credential"],
    ["a token, where only a secret is set", { ...both, token: null }, bearer(token), "wrong_credential"],
    ["the digest of the token", both, bearer("0".repeat(64)), "wrong_credential"],
    [
      "nothing, where nothing is configured",
      { token: null, noAuth: false, headerSecret: null },
      {},
      "no_credential",
    ],
    [
      "an empty bearer, where the token is the empty string",
      { token: "", noAuth: false, headerSecret: "" },
      { authorization: "Bearer " },
      "wrong_credential",
    ],
    [
      "nothing, where both no-auth and a token are set",
      { token, noAuth: true, headerSecret: null },
      {},
      "no_credential",
    ],
    [
      "nothing, where both no-auth and a secret are set",
      { token: null, noAuth: true, headerSecret: secret },
      {},
      "no_credential",
    ],
  ] as const)("keep out %s", async (_name, credentials, headers, code) => {
    expect(await outcome(credentials, headers)).toBe(code);
  });

  it("are not read from the query string", async () => {
    expect(await outcome(both, {}, `http://x/mcp?access_token=${token}&token=${token}`)).toBe(
      "no_credential",
    );
  });

  it("give every one of the owner's callers the same subject, which holds no credential", async () => {
    const asked = [bearer(token), withSecret(secret)].map(async (headers) => {
      const result = await createAuthenticate(both)(new Request("http://x/mcp", { headers }));
      return result.ok ? result.value : null;
    });
    const callers = await Promise.all(asked);
    expect(callers.map((caller) => caller?.subject)).toEqual(["owner", "owner"]);
    expect(JSON.stringify(callers)).not.toContain(token);
    expect(JSON.stringify(callers)).not.toContain(secret);
  });
});
