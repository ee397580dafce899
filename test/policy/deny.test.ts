import { describe, expect, test } from "vitest";
import { decideDenied, MAX_EXACT_PATHS } from "../../src/policy/deny.ts";

const facts = { root: "/srv/p", cwd: "/srv/p", sandbox: "read-only" } as const;

function many(count: number, path: (n: number) => string): string[] {
  return Array.from({ length: count }, (_, n) => path(n));
}

/** True when every secret is denied itself or lies in a denied directory. */
function coversAll(denied: readonly string[], secrets: readonly string[]): boolean {
  return secrets.every((secret) =>
    denied.some((path) => `/srv/p/${secret}` === path || `/srv/p/${secret}`.startsWith(`${path}/`)),
  );
}

describe("denied paths", () => {
  test("a few secrets are denied by their exact paths", () => {
    const decision = decideDenied({ ...facts, secretPaths: [".env", "sub/.ENV"] });
    expect(decision).toEqual({
      ok: true,
      value: { paths: ["/srv/p/.env", "/srv/p/sub/.ENV"], patterns: [], held: [] },
    });
  });

  test("many secrets become few directories that cover all of them", () => {
    const secretPaths = many(5_000, (n) => `packages/e${n}/.env`);
    const decision = decideDenied({ ...facts, secretPaths });
    if (!decision.ok) throw new Error(decision.failure.reason);
    expect(decision.value.paths.length).toBeLessThanOrEqual(MAX_EXACT_PATHS);
    expect(coversAll(decision.value.paths, secretPaths)).toBe(true);
  });

  test("the root is never denied, and neither is a directory that the turn works in", () => {
    const secretPaths = many(400, (n) => `app/src/d${n % 200}/.env${n}`);
    const decision = decideDenied({ ...facts, cwd: "/srv/p/app/src", secretPaths });
    expect(decision).toMatchObject({ ok: false, failure: { code: "confinement_unavailable" } });
  });

  test("too many secrets right in the root cannot be hidden together", () => {
    const decision = decideDenied({ ...facts, secretPaths: many(101, (n) => `.env.${n}`) });
    expect(decision).toMatchObject({ ok: false, failure: { code: "confinement_unavailable" } });
  });

  test("exactly as many as fit are denied one by one", () => {
    const decision = decideDenied({ ...facts, secretPaths: many(MAX_EXACT_PATHS, (n) => `.env.${n}`) });
    expect(decision.ok && decision.value.paths.length).toBe(MAX_EXACT_PATHS);
  });

  test("names that may appear are denied in write turns alone, in both cases", () => {
    const write = decideDenied({ ...facts, sandbox: "workspace-write", secretPaths: [] });
    if (!write.ok) throw new Error(write.failure.reason);
    expect(write.value.patterns).toContain("/srv/p/**/.[eE][nN][vV]");
    expect(write.value.patterns).toContain("/srv/p/**/*.[pP][eE][mM]");
    expect(decideDenied({ ...facts, secretPaths: [] })).toMatchObject({ value: { patterns: [] } });
  });

  test("a path that Codex would read as a pattern is denied by a pattern of its own, with all below it", () => {
    const decision = decideDenied({ ...facts, secretPaths: ["app/[slug]/.env", "plain/.env"] });
    expect(decision).toEqual({
      ok: true,
      value: {
        paths: ["/srv/p/plain/.env"],
        patterns: ["/srv/p/**/app/?slug?/.env", "/srv/p/**/app/?slug?/.env/**"],
        held: [],
      },
    });
  });

  test.each([
    { sign: "a line break", path: "new\nline/.env", pattern: "new?line/.env" },
    { sign: "a tab", path: "a\tb/.env", pattern: "a?b/.env" },
    { sign: "a backslash", path: "back\\slash/.env", pattern: "back?slash/.env" },
    { sign: "a backslash before a bracket", path: "\\[mix]/.env", pattern: "??mix?/.env" },
  ])("a path with $sign is denied by a pattern too", ({ path, pattern }) => {
    expect(decideDenied({ ...facts, secretPaths: [path] })).toEqual({
      ok: true,
      value: { paths: [], patterns: [`/srv/p/**/${pattern}`, `/srv/p/**/${pattern}/**`], held: [] },
    });
  });

  test("a write turn may not rename a directory that a secret lies in", () => {
    const write = { ...facts, sandbox: "workspace-write" } as const;
    const decision = decideDenied({ ...write, secretPaths: [".env", "a/b/key.json", "a/c.py"] });
    if (!decision.ok) throw new Error(decision.failure.reason);
    expect(decision.value.held).toEqual(["/srv/p/a", "/srv/p/a/b"]);
    expect(decision.value.patterns).not.toContain("/srv/p/**/key.json");
  });

  test("where there are too many of them, and where one has a sign, it is the name that is denied, wherever it goes", () => {
    const write = { ...facts, sandbox: "workspace-write" } as const;
    const spread = decideDenied({ ...write, secretPaths: many(11, (n) => `d${n}/key.json`) });
    if (!spread.ok) throw new Error(spread.failure.reason);
    expect(spread.value).toMatchObject({ held: [] });
    expect(spread.value.patterns).toEqual(
      expect.arrayContaining(["/srv/p/**/key.json", "/srv/p/**/key.json/**"]),
    );
    const signed = decideDenied({ ...write, secretPaths: ["app/[slug]/key.json", "a/c.py"] });
    if (!signed.ok) throw new Error(signed.failure.reason);
    expect(signed.value.held).toEqual(["/srv/p/a"]);
    expect(signed.value.patterns).toEqual(expect.arrayContaining(["/srv/p/**/key.json"]));
    expect(signed.value.patterns).not.toContain("/srv/p/**/c.py");
  });

  test("a name that is no UTF-8 cannot be told to Codex, so nothing starts beside it", () => {
    const decision = decideDenied({ ...facts, secretPaths: ["caf\ufffd/.env"] });
    expect(decision).toMatchObject({ ok: false, failure: { code: "confinement_unavailable" } });
  });
});
