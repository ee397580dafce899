import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfigWithSecrets } from "../../src/cli/with-secrets.ts";
import { createSecretService } from "../../src/keychain/secret-service.ts";
import { secretItems, type SecretItemName } from "../../src/keychain/secret-items.ts";
import { installSecretTool, type StandIn } from "../support/keychain-stand-ins.ts";

const KEPT = "kept-in-the-keyring-0123456789-0123456789";
const GIVEN = "given-by-the-owner-0123456789-0123456789";

let home = "";
let tool: StandIn;
let before = 0;
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "with-secrets-")));
  mkdirSync(join(home, "app"));
  tool = installSecretTool(home);
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

const environment = (more: Record<string, string> = {}): Record<string, string> => ({
  HOME: home,
  PATH: `${home}:${dirname(process.execPath)}`,
  XDG_RUNTIME_DIR: home,
  ...more,
});

async function keep(...names: readonly SecretItemName[]): Promise<void> {
  const { userInfo } = await import("node:os");
  const { command } = tool;
  const store = createSecretService({
    command,
    account: userInfo().username,
    env: environment(),
    waitMs: 60_000,
  });
  for (const name of names) await store.write(secretItems[name], KEPT);
  before = tool.argvs().length;
}

async function load(flags: Record<string, string | boolean> = {}, more: Record<string, string> = {}) {
  const loaded = await loadConfigWithSecrets(
    { environment: environment(more), cwd: join(home, "app") },
    { keychain: true, ...flags },
  );
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure));
  return loaded.value;
}

/** What was looked up since the test kept its secrets. */
const asked = (): string => JSON.stringify(tool.argvs().slice(before));

describe("configuration with what the owner keeps", () => {
  it("opens no keychain unless it is told to", async () => {
    await keep("token");
    const { config } = await load({ keychain: false });
    expect([config.token, asked()]).toEqual([undefined, "[]"]);
  });

  it("has the token and the keys of others, as if the environment had given them", async () => {
    await keep("token", "controlPlaneApiKey", "controlPlaneTunnelId", "ngrokAuthtoken", "openaiApiKey");
    const { config, environment: filled, notes } = await load();
    expect(config.token).toBe(KEPT);
    expect(filled).toEqual(
      environment({
        CODEX_GPT_BRIDGE_TOKEN: KEPT,
        CONTROL_PLANE_API_KEY: KEPT,
        CONTROL_PLANE_TUNNEL_ID: KEPT,
        NGROK_AUTHTOKEN: KEPT,
        OPENAI_API_KEY: KEPT,
      }),
    );
    expect(notes).toEqual([]);
    expect(Object.values(process.env)).not.toContain(KEPT);
  });

  it.each<[string, Record<string, string>, Record<string, string>, string | null]>([
    ["a flag", { token: GIVEN }, {}, null],
    ["the environment", {}, { CODEX_GPT_BRIDGE_TOKEN: GIVEN }, null],
    ["the config file", {}, {}, `keychain = true\ntoken = "${GIVEN}"\n`],
  ])("takes %s first, and does not even ask for what is given", async (_name, flags, more, file) => {
    await keep("token");
    const path = join(home, "config.toml");
    if (file !== null) writeFileSync(path, file, { mode: 0o600 });
    const { config } = await load({ ...flags, ...(file === null ? {} : { config: path }) }, more);
    expect(config.token).toBe(GIVEN);
    expect(asked()).not.toContain("codex-gpt-bridge:token");
  });

  it("asks for no credential where none is wanted", async () => {
    await keep("token");
    const { config } = await load({ "no-auth": true });
    expect(config.token).toBeUndefined();
    expect(asked()).not.toMatch(/bridge:(token|header-secret)"/);
  });

  it("takes no keychain's tool out of a project, and gives that part of PATH to nobody", async () => {
    const planted = installSecretTool(join(home, "app"));
    const { environment: filled, leftOut } = await load({}, { PATH: `${home}/app:${environment()["PATH"]}` });
    expect([filled["PATH"], leftOut, planted.argvs()]).toEqual([environment()["PATH"], [`${home}/app`], []]);
  });

  it("goes on without a keychain that does not answer, and says so", async () => {
    await keep("token");
    tool.break();
    const { config, notes } = await load();
    expect(config.token).toBeUndefined();
    expect(notes).toEqual([expect.stringContaining("Cannot autolaunch D-Bus") as string]);
  });

  it("takes a file of secrets for no configuration when Codex could read it", async () => {
    const config = join(home, "app", ".config");
    const loaded = await loadConfigWithSecrets(
      { environment: environment({ XDG_CONFIG_HOME: config }), cwd: join(home, "app") },
      { keychain: true },
    );
    expect(loaded).toEqual({
      ok: false,
      failure: [
        {
          setting: join(config, "codex-gpt-bridge/secrets.json"),
          problem: expect.stringContaining("inside the project") as string,
        },
      ],
    });
  });

  it("refuses what is kept when it is no token", async () => {
    const { command } = tool;
    const { userInfo } = await import("node:os");
    const store = createSecretService({
      command,
      account: userInfo().username,
      env: environment(),
      waitMs: 60_000,
    });
    await store.write(secretItems.token, "short");
    const loaded = await loadConfigWithSecrets(
      { environment: environment(), cwd: join(home, "app") },
      { keychain: true },
    );
    expect(loaded).toMatchObject({ ok: false, failure: [{ problem: "has to have at least 32 characters" }] });
  });
});
