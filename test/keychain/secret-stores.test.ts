import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createMacosKeychain } from "../../src/keychain/macos-keychain.ts";
import { openStores } from "../../src/keychain/open-stores.ts";
import { readSecrets } from "../../src/keychain/read-secrets.ts";
import { createSecretFile } from "../../src/keychain/secret-file.ts";
import { secretItems } from "../../src/keychain/secret-items.ts";
import { createSecretService } from "../../src/keychain/secret-service.ts";
import type { SecretStore } from "../../src/keychain/secret-store.ts";
import { describeSecretStore } from "../contract/secret-store.ts";
import { installSecretTool, installSecurity, type StandIn } from "../support/keychain-stand-ins.ts";

const SECRET = "s3cret-value-that-nobody-else-may-see";
let base = "";
let directory = "";
let count = 0;

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), "secret-stores-"));
});
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});
beforeEach(() => {
  directory = join(base, String(count++));
  mkdirSync(directory);
});

const env = { PATH: process.env["PATH"] ?? "" };
const openMacos = (tool: StandIn): SecretStore =>
  createMacosKeychain({ command: tool.command, account: "ada", env, waitMs: 60_000 });
const openService = (tool: StandIn): SecretStore =>
  createSecretService({ command: tool.command, account: "ada", env, waitMs: 60_000 });

describeSecretStore("macOS Keychain", () => openMacos(installSecurity(directory)));
describeSecretStore("Secret Service", () => openService(installSecretTool(directory)));
describeSecretStore("file", () => createSecretFile(join(directory, "config", "secrets.json")));

describe.each([
  ["security", installSecurity, openMacos],
  ["secret-tool", installSecretTool, openService],
] as const)("the system's keychain through %s", (name, install, open) => {
  it("never has a value among its arguments, in any spelling", async () => {
    const tool = install(directory);
    const store = open(tool);
    await store.write(secretItems.token, SECRET);
    await store.read(secretItems.token);
    await store.remove(secretItems.token);
    const seen = JSON.stringify(tool.argvs());
    expect(tool.argvs().length).toBeGreaterThanOrEqual(3);
    for (const encoding of ["utf8", "hex", "base64"] as const) {
      expect(seen).not.toContain(Buffer.from(SECRET).toString(encoding));
    }
  });

  it("keeps items under the names that are promised", async () => {
    const tool = install(directory);
    const store = open(tool);
    for (const item of Object.values(secretItems)) await store.write(item, SECRET);
    expect(Object.keys(tool.items())).toEqual([
      "codex-gpt-bridge:token/ada",
      "codex-gpt-bridge:header-secret/ada",
      "codex-gpt-bridge:oauth-passcode/ada",
      "codex-gpt-bridge:control-plane-api-key/ada",
      "codex-gpt-bridge:control-plane-tunnel-id/ada",
      "codex-gpt-bridge:ngrok-authtoken/ada",
      "codex-gpt-bridge:cloudflare-tunnel-token/ada",
      "codex-gpt-bridge:openai-api-key/ada",
    ]);
  });

  it("says why when it cannot be used, without a value", async () => {
    const tool = install(directory);
    const store = open(tool);
    await store.write(secretItems.token, SECRET);
    tool.break();
    for (const end of [
      await store.read(secretItems.token),
      await store.write(secretItems.token, SECRET),
      await store.remove(secretItems.token),
    ]) {
      expect(end).toEqual({ ok: false, failure: expect.stringMatching(/not allowed|D-Bus/) as string });
      expect(JSON.stringify(end)).not.toContain(SECRET);
    }
  });

  it("says so when the command is not there", async () => {
    const tool = install(directory);
    rmSync(tool.command);
    expect(await open(tool).read(secretItems.token)).toEqual({
      ok: false,
      failure: `the command \`${name}\` cannot be run`,
    });
  });
});

describe("the file of secrets", () => {
  const path = (): string => join(directory, "secrets.json");

  it("takes away what a write left that was killed, as soon as it is read", async () => {
    const leftOver = `${path()}.0123456789ab.tmp`;
    writeFileSync(leftOver, SECRET, { mode: 0o600 });
    const then = Date.now() / 1_000 - 120;
    utimesSync(leftOver, then, then);
    expect(await createSecretFile(path()).read(secretItems.token)).toEqual({ ok: true, value: null });
    expect(existsSync(leftOver)).toBe(false);
  });

  it("is its owner's alone, and stays whole when two write at once", async () => {
    const store = createSecretFile(path());
    await Promise.all(
      Object.values(secretItems).map(async (item) => store.write(item, `${item.name}-value`)),
    );
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    for (const item of Object.values(secretItems)) {
      expect(await store.read(item)).toEqual({ ok: true, value: `${item.name}-value` });
    }
  });

  it.each<[string, () => void, RegExp]>([
    ["others can read it", () => chmodSync(path(), 0o640), /others can use/],
    ["it is a link", () => (rmSync(path()), symlinkSync("/etc/hostname", path())), /cannot be used/],
    ["it is no list of secrets", () => writeFileSync(path(), `{"token": "${SECRET}"`), /no list of secrets/],
    ["it is of another version", () => writeFileSync(path(), '{"version":2,"secrets":{}}'), /no list/],
    ["it is a directory", () => (rmSync(path()), mkdirSync(path())), /no file/],
  ])("is refused when %s, and left alone", async (_name, spoil, why) => {
    const store = createSecretFile(path());
    await store.write(secretItems.token, SECRET);
    spoil();
    for (const end of [await store.read(secretItems.token), await store.write(secretItems.token, "new")]) {
      expect(end).toEqual({ ok: false, failure: expect.stringMatching(why) as string });
      expect(JSON.stringify(end)).not.toContain(SECRET);
    }
  });
});

describe("the stores of a machine", () => {
  const open = async (platform: string, environment: Record<string, string>) =>
    openStores({ platform, environment, filePath: join(directory, "secrets.json"), waitMs: 60_000 });

  it("are the Keychain on macOS, the Secret Service where there are a bus and its tool, and always the file", async () => {
    installSecretTool(directory);
    const kindOf = async (platform: string, environment: Record<string, string>) =>
      (await open(platform, environment)).system?.kind ?? null;
    const bus = { DBUS_SESSION_BUS_ADDRESS: "unix:path=/nowhere" };
    expect(await kindOf("darwin", {})).toBe("macos-keychain");
    expect(await kindOf("linux", { PATH: directory, ...bus })).toBe("secret-service");
    expect(await kindOf("linux", { PATH: directory })).toBe(null);
    expect(await kindOf("linux", { PATH: "/nowhere", ...bus })).toBe(null);
    expect((await open("linux", {})).file.kind).toBe("file");
  });

  it("are asked in that order, and one that is broken is told and passed over", async () => {
    const tool = installSecretTool(directory);
    const stores = await open("linux", { PATH: `${directory}:${env.PATH}`, XDG_RUNTIME_DIR: directory });
    await stores.file.write(secretItems.token, "from-the-file");
    await stores.file.write(secretItems.openaiApiKey, "key-from-the-file");
    await stores.system?.write(secretItems.token, "from-the-keyring");
    const wanted = ["token", "openaiApiKey", "ngrokAuthtoken"] as const;
    expect(await readSecrets(stores, wanted)).toEqual({
      values: new Map([
        ["token", "from-the-keyring"],
        ["openaiApiKey", "key-from-the-file"],
      ]),
      problems: [],
    });
    tool.break();
    const { values, problems } = await readSecrets(stores, wanted);
    expect(values.get("token")).toBe("from-the-file");
    expect(problems).toEqual([expect.stringContaining("D-Bus") as string]);
  });

  it("get no variable that is not theirs", async () => {
    const tool = installSecretTool(directory);
    const spy = readFileSync(tool.command, "utf8").replace(
      "const stdin",
      `writeFileSync(base + "/env", Object.keys(process.env).join("\\n"));\nconst stdin`,
    );
    writeFileSync(tool.command, spy);
    const stores = await open("linux", {
      PATH: `${directory}:${env.PATH}`,
      XDG_RUNTIME_DIR: directory,
      OPENAI_API_KEY: SECRET,
      CODEX_GPT_BRIDGE_TOKEN: SECRET,
    });
    await stores.system?.read(secretItems.token);
    const seen = readFileSync(join(`${tool.command}.data`, "env"), "utf8").split("\n");
    expect(seen).toContain("XDG_RUNTIME_DIR");
    expect(seen.filter((name) => /KEY|TOKEN/.test(name))).toEqual([]);
  });
});
