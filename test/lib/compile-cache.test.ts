import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compileCacheDirectory } from "../../src/lib/compile-cache.ts";
import { packageRoot } from "../../src/lib/version.ts";

describe("compileCacheDirectory", () => {
  test.each([
    [{ HOME: "/home/me" }, "/home/me/.cache/codex-gpt-bridge/compiled"],
    [{ HOME: "/home/me", XDG_CACHE_HOME: "/var/cache/me" }, "/var/cache/me/codex-gpt-bridge/compiled"],
    [{ HOME: "/home/me", XDG_CACHE_HOME: "relative" }, "/home/me/.cache/codex-gpt-bridge/compiled"],
    [{ HOME: "relative" }, null],
    [{}, null],
  ])("%j: %s", (environment, directory) => {
    expect(compileCacheDirectory(environment)).toBe(directory);
  });

  test.each(["bridge", "ask-chatgpt"])("%s runs nothing that lies where others can write", (door) => {
    const base = mkdtempSync(join(tmpdir(), "compile-cache-"));
    try {
      const env = { HOME: join(base, "home"), TMPDIR: join(base, "shared") };
      mkdirSync(env.HOME);
      mkdirSync(env.TMPDIR);
      execFileSync(process.execPath, [join(packageRoot, "src", `${door}.ts`), "--version"], { env });
      expect(readdirSync(env.TMPDIR)).toEqual([]);
      expect(existsSync(join(env.HOME, ".cache", "codex-gpt-bridge", "compiled"))).toBe(true);
    } finally {
      rmSync(base, { recursive: true });
    }
  });
});
