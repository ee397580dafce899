import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createRedactor } from "../../src/audit/redact.ts";
import { createAskRoom } from "../../src/cli/ask-room.ts";
import { loadAskConfig } from "../../src/config/ask-load.ts";
import { silentLog } from "../../src/lib/log.ts";
import { writeExceptions } from "../../src/workspace/exceptions.ts";

let base = "";
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "ask-room-")));
  for (const name of ["project", "config/codex-gpt-bridge"])
    mkdirSync(join(base, name), { recursive: true, mode: 0o700 });
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

it("an exception counts for the content that was read, whatever lies at its path by now", async () => {
  const environment = {
    HOME: base,
    XDG_CONFIG_HOME: join(base, "config"),
    XDG_STATE_HOME: join(base, "state"),
  };
  const config = await loadAskConfig({ environment, cwd: base, readFile: async () => null });
  if (!config.ok) throw new Error(JSON.stringify(config.failure));
  const root = join(base, "project");
  const sha256 = createHash("sha256").update("what the owner saw").digest("hex");
  await writeExceptions(join(base, "config", "codex-gpt-bridge", "allow.json"), [
    {
      root,
      path: "key.pem",
      kinds: ["private-key"],
      sha256,
      reason: "a test key",
      by: "me",
      madeAt: new Date(0).toISOString(),
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    },
  ]);
  const room = createAskRoom({
    config: config.value,
    environment,
    cwd: root,
    project: null,
    redactor: createRedactor(),
    log: silentLog,
    shutdown: new AbortController().signal,
  });
  const found = [{ kind: "private-key", reason: "content" }] as const;
  // There is no such file any more: nothing is looked at again.
  expect(await room.isExcepted(root, { path: "key.pem", sha256 }, found)).toBe(true);
  const other = createHash("sha256").update("something else").digest("hex");
  expect(await room.isExcepted(root, { path: "key.pem", sha256: other }, found)).toBe(false);
  expect(await room.isExcepted(root, { path: "other.pem", sha256 }, found)).toBe(false);
  expect(await room.isExcepted(root, { path: "key.pem", sha256 }, [{ kind: "aws", reason: "content" }])).toBe(
    false,
  );
});
