import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { codexHome } from "../../src/codex/codex-home.ts";
import { toCodexEnvironment } from "../../src/codex/environment.ts";
import { silentLog } from "../../src/lib/log.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "environment-"));
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

async function passed(
  environment: Record<string, string>,
  config?: string,
  mcpServers: readonly string[] = [],
): Promise<string[]> {
  if (config !== undefined) {
    await mkdir(join(home, ".codex"), { recursive: true });
    await writeFile(join(home, ".codex", "config.toml"), config);
  }
  const env = await toCodexEnvironment({ HOME: home, ...environment }, mcpServers, silentLog);
  return Object.keys(env)
    .filter((name) => name !== "HOME" && name !== "GIT_DIR")
    .toSorted();
}

test.each([
  "PATH",
  "LANG",
  "LC_ALL",
  "TZ",
  "TMPDIR",
  "XDG_RUNTIME_DIR",
  "CODEX_HOME",
  "HTTPS_PROXY",
  "no_proxy",
  "SSL_CERT_FILE",
])("%s goes to Codex", async (name) => {
  expect(await passed({ [name]: "x" })).toEqual([name]);
});

test.each([
  "CODEX_GPT_BRIDGE_TOKEN",
  "CODEX_GPT_BRIDGE_HEADER_SECRET",
  "CODEX_GPT_BRIDGE_STATE_DIR",
  "OPENAI_API_KEY",
  "AWS_SECRET_ACCESS_KEY",
  "GITHUB_TOKEN",
  "NODE_OPTIONS",
  "LD_PRELOAD",
  "DYLD_INSERT_LIBRARIES",
  "BASH_ENV",
  "RUST_LOG",
  "SSH_AUTH_SOCK",
  "path",
])("%s stays with the bridge", async (name) => {
  expect(await passed({ [name]: "x" })).toEqual([]);
});

describe("variables that the user's Codex configuration names", () => {
  test("for its model providers go along", async () => {
    const config = `
[model_providers.mine]
env_key = "MY_KEY"
[model_providers.mine.env_http_headers]
"X-Org" = "MY_ORG"
[model_providers.plain]
name = "no variable"
`;
    expect(await passed({ MY_KEY: "k", MY_ORG: "o", OTHER: "x" }, config)).toEqual(["MY_KEY", "MY_ORG"]);
  });

  test("for MCP servers go along only where the owner lets them start", async () => {
    const config = `
[mcp_servers.docs]
command = "docs"
env_vars = ["DOCS_KEY"]
bearer_token_env_var = "DOCS_TOKEN"
[mcp_servers.mail]
env_vars = ["MAIL_KEY"]
`;
    const environment = { DOCS_KEY: "k", DOCS_TOKEN: "t", MAIL_KEY: "m" };
    expect(await passed(environment, config)).toEqual([]);
    expect(await passed(environment, config, ["docs", "missing"])).toEqual(["DOCS_KEY", "DOCS_TOKEN"]);
  });

  test("never are the bridge's own", async () => {
    const config = '[model_providers.mine]\nenv_key = "CODEX_GPT_BRIDGE_TOKEN"\n';
    expect(await passed({ CODEX_GPT_BRIDGE_TOKEN: "secret" }, config)).toEqual([]);
  });

  test.each([
    { name: "is no TOML", config: "env_key = " },
    { name: "has another shape", config: 'model_providers = "none"\nmcp_servers = 5\n' },
    { name: "has values of other kinds", config: "[model_providers.mine]\nenv_key = 5\n" },
  ])("are none where the file $name", async ({ config }) => {
    expect(await passed({ PATH: "/bin", MY_KEY: "k" }, config)).toEqual(["PATH"]);
  });
});

test.each([
  { environment: { CODEX_HOME: "/a", HOME: "/home/x" }, at: "/a" },
  { environment: { CODEX_HOME: "", HOME: "/home/x" }, at: "/home/x/.codex" },
  { environment: { HOME: "/home/x" }, at: "/home/x/.codex" },
  { environment: { HOME: "" }, at: null },
  { environment: {}, at: null },
])("with $environment Codex lives in $at", ({ environment, at }) => {
  expect(codexHome(environment)).toBe(at);
});

test("Codex finds no git repository, whatever the owner's environment says", async () => {
  const config = '[model_providers.mine]\nenv_key = "GIT_DIR"\n';
  await mkdir(join(home, ".codex"), { recursive: true });
  await writeFile(join(home, ".codex", "config.toml"), config);
  const env = await toCodexEnvironment({ HOME: home, GIT_DIR: "/srv/p/.git" }, [], silentLog);
  expect(env["GIT_DIR"]).toBe("/dev/null");
});
