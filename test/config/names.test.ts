import { describe, expect, test } from "vitest";
import { toEnvironmentName, toFileKey, toFlag } from "../../src/config/names.ts";
import { readAll } from "../../src/config/setting.ts";
import { settingNames, settings } from "../../src/config/settings.ts";
import { golden, inFull } from "../golden/golden.ts";

test.each([
  ["port", "CODEX_GPT_BRIDGE_PORT", "port", "port"],
  ["fastReturnMs", "CODEX_GPT_BRIDGE_FAST_RETURN_MS", "fast-return-ms", "fast_return_ms"],
  ["noAuth", "CODEX_GPT_BRIDGE_NO_AUTH", "no-auth", "no_auth"],
])("%s is %s, --%s and %s", (name, environment, flag, key) => {
  expect([toEnvironmentName(name), toFlag(name), toFileKey(name)]).toEqual([environment, flag, key]);
});

describe("the settings", () => {
  test("are those that docs and users know, with their defaults", () => {
    const defaults: Record<string, unknown> = readAll(settings, {}).values;
    const table = settingNames.map((name) => ({
      name,
      env: toEnvironmentName(name),
      flag: `--${toFlag(name)}`,
      default: defaults[name] ?? null,
    }));
    expect(inFull(table)).toBe(golden("settings.json", table));
  });

  test("each have a meaning in words, and no two share a name", () => {
    for (const name of settingNames) expect(settings[name].description).toMatch(/\.$/);
    expect(new Set(settingNames.map(toEnvironmentName)).size).toBe(settingNames.length);
  });
});
