/**
 * Writes the tables of docs/ that are made from code: `npm run docs`. With --check it writes nothing and fails when
 * one is out of date.
 */
import { readFile, writeFile } from "node:fs/promises";
import { wireTools as askTools } from "../../src/chatgpt/tools.ts";
import { askSettingNames, askSettings, toAskEnvironmentName } from "../../src/config/ask-settings.ts";
import { toEnvironmentName, toFileKey, toFlag } from "../../src/config/names.ts";
import { settingNames, settings } from "../../src/config/settings.ts";
import { tools } from "../../src/tools/index.ts";
import { toWireTools } from "../../src/tools/tool-list.ts";

const isCheck = process.argv.includes("--check");
const stale: string[] = [];

await writeBetweenMarks("docs/config.md", settingsTable());
await writeBetweenMarks("docs/config.md", askSettingsTable(), "generated: chatgpt");
await writeBetweenMarks("docs/tools.md", toolPages(toWireTools(tools)));
await writeBetweenMarks("docs/tools.md", toolPages(askTools()), "generated: chatgpt");

if (stale.length > 0) {
  console.error(`out of date: ${stale.join(", ")}; run npm run docs`);
  process.exitCode = 1;
}

async function writeBetweenMarks(path: string, generated: string, mark = "generated"): Promise<void> {
  const url = new URL(`../../${path}`, import.meta.url);
  const text = await readFile(url, "utf8");
  const [before = "", rest = ""] = text.split(`<!-- ${mark} -->\n`);
  const [, after = ""] = rest.split(`<!-- /${mark} -->`);
  const wanted = `${before}<!-- ${mark} -->\n${generated}<!-- /${mark} -->${after}`;
  if (wanted === text) return;
  if (isCheck) stale.push(path);
  else await writeFile(url, wanted);
}

function settingsTable(): string {
  const rows = settingNames.map((name) => {
    const { read, description } = settings[name];
    const found = read(undefined);
    const value: unknown = found.ok ? found.value : undefined;
    const isNothing = value === undefined || (Array.isArray(value) && value.length === 0);
    const shown = isNothing ? "–" : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
    const names = `\`${toFileKey(name)}\`<br>\`${toEnvironmentName(name)}\`<br>\`--${toFlag(name)}\``;
    return `| ${names} | ${shown} | ${description} |`;
  });
  return `| setting | default | meaning |\n|---|---|---|\n${rows.join("\n")}\n`;
}

function askSettingsTable(): string {
  const rows = askSettingNames.map((name) => {
    const { read, description } = askSettings[name];
    const found = read(undefined);
    const value: unknown = found.ok ? found.value : undefined;
    const isNothing = value === undefined || (Array.isArray(value) && value.length === 0);
    const shown = isNothing ? "–" : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
    return `| \`${toFileKey(name)}\`<br>\`${toAskEnvironmentName(name)}\` | ${shown} | ${description} |`;
  });
  return `| setting | default | meaning |\n|---|---|---|\n${rows.join("\n")}\n`;
}

interface Property {
  readonly type?: unknown;
  readonly enum?: readonly string[];
  readonly description?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
}

function toolPages(listed: ReturnType<typeof askTools>): string {
  const scopes = new Map(tools.map(({ name, scope }) => [name, scope]));
  return listed
    .map((tool) => {
      const properties = (tool.inputSchema.properties ?? {}) as Readonly<Record<string, Property>>;
      const required = new Set(tool.inputSchema.required ?? []);
      const rows = Object.entries(properties).map(
        ([name, property]) =>
          `| \`${name}\`${required.has(name) ? " (required)" : ""} | ${shownType(property)} | ${property.description ?? ""} |`,
      );
      const { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } = tool.annotations ?? {};
      const hints = Object.entries({ readOnlyHint, destructiveHint, idempotentHint, openWorldHint })
        .map(([hint, value]) => `${hint} ${String(value)}`)
        .join(", ");
      const table =
        rows.length === 0
          ? "No arguments.\n"
          : `| argument | type | meaning |\n|---|---|---|\n${rows.join("\n")}\n`;
      const scope = scopes.get(tool.name);
      return `## \`${tool.name}\`\n\n${tool.description ?? ""}\n\nHints: ${hints}.${scope === undefined ? "" : ` Scope: ${scope}.`}\n\n${table}`;
    })
    .join("\n");
}

function shownType({ type, enum: values, minLength, maxLength, minimum }: Property): string {
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(" or ");
  const bounds = [
    maxLength === undefined ? null : `${minLength ?? 0} to ${maxLength} characters`,
    minimum === undefined ? null : `at least ${minimum}`,
  ].filter((bound) => bound !== null);
  return [String(type), ...bounds].join(", ");
}
