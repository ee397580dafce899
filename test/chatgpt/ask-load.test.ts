import { describe, expect, test } from "vitest";
import { loadAskConfig } from "../../src/config/ask-load.ts";

const HOME = "/home/me";

async function load(environment: Record<string, string> = {}, file: string | null = null) {
  return loadAskConfig({
    environment: { HOME, ...environment },
    cwd: "/work",
    readFile: async () => (file === null ? null : { text: file, mode: 0o600 }),
  });
}

async function problems(environment: Record<string, string>, file: string | null = null): Promise<string[]> {
  const result = await load(environment, file);
  return result.ok ? [] : result.failure.map(({ setting, problem }) => `${setting}: ${problem}`);
}

describe("the settings of ask_chatgpt", () => {
  test("have defaults, and no key is no problem", async () => {
    expect(await load()).toMatchObject({
      ok: true,
      value: {
        model: expect.any(String),
        models: [],
        timeoutMs: 870_000,
        secrets: "refuse",
        prices: {},
        apiKey: null,
        baseUrl: null,
        stateDir: `${HOME}/.local/state/codex-gpt-bridge`,
      },
    });
  });

  test("come from the environment before the file", async () => {
    const file = `log_level = "warn"
[chatgpt]
model = "from-the-file"
max_usd_per_day = 2.5
models = ["a", "b"]
[chatgpt.prices.a]
input = 1
output = 4
`;
    const environment = {
      CODEX_CHATGPT_MODEL: "from-the-environment",
      CODEX_CHATGPT_TIMEOUT_MS: "60000",
      CODEX_CHATGPT_MAX_USD_PER_MONTH: "20",
      OPENAI_API_KEY: " key \n",
      OPENAI_BASE_URL: "http://127.0.0.1:9/v1",
      CODEX_GPT_BRIDGE_STATE_DIR: "/state",
    };
    expect(await load(environment, file)).toMatchObject({
      ok: true,
      value: {
        model: "from-the-environment",
        models: ["a", "b"],
        timeoutMs: 60_000,
        maxUsdPerDay: 2.5,
        maxUsdPerMonth: 20,
        prices: { a: { input: 1, output: 4 } },
        apiKey: "key",
        baseUrl: "http://127.0.0.1:9/v1",
        stateDir: "/state",
        logLevel: "warn",
      },
    });
  });

  test("that concern the bridge alone are not looked at in the environment", async () => {
    expect(await problems({ CODEX_GPT_BRIDGE_PORT: "many", CODEX_GPT_BRIDGE_NO_AUTH: "1" })).toEqual([]);
  });

  test("are all told at once when they are wrong, by the name under which they were given", async () => {
    const file = `[chatgpt]
max_usd_per_month = -1
model_name = "x"
[chatgpt.prices.a]
input = "cheap"
`;
    const environment = {
      CODEX_CHATGPT_TIMEOUT_MS: "soon",
      CODEX_CHATGPT_SECRETS: "hide",
      CODEX_CHATGPT_MAX_USD_PER_DAY: "5 USD",
      OPENAI_BASE_URL: "ftp://x",
    };
    const told = (await problems(environment, file)).join("\n");
    for (const name of [
      "CODEX_CHATGPT_TIMEOUT_MS: ",
      "CODEX_CHATGPT_SECRETS: has to be one of: refuse, redact, off",
      "CODEX_CHATGPT_MAX_USD_PER_DAY: has to be an amount in US dollars",
      "chatgpt.max_usd_per_month (config file): ",
      "chatgpt.model_name (config file): is not a setting",
      "chatgpt.prices.a.input (config file): ",
      "chatgpt.prices.a.output (config file): ",
      "OPENAI_BASE_URL: ",
    ]) {
      expect(told).toContain(name);
    }
  });

  test.each(["0", "-1", "NaN", "Infinity", "1e3", ""])(
    "a cap of %j is never no cap by mistake",
    async (value) => {
      const result = await load({ CODEX_CHATGPT_MAX_USD_PER_DAY: value });
      expect(result.ok).toBe(value === "");
    },
  );
});
