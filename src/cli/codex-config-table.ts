/** The table of Codex's config.toml that registers `codex-chatgpt-mcp`. Pure. */
import { askSettingNames, toAskEnvironmentName } from "../config/ask-settings.ts";
import { toEnvironmentName } from "../config/names.ts";

export const SERVER_NAME = "chatgpt";

/** Codex hands a server nothing but a few variables and those that are named; a cap that is not named is no cap. */
const VARIABLES: readonly string[] = [
  "OPENAI_API_KEY",
  "OPENAI_BASE_URL",
  ...askSettingNames.map(toAskEnvironmentName),
  toEnvironmentName("stateDir"),
  toEnvironmentName("config"),
  toEnvironmentName("keychain"),
  "XDG_STATE_HOME",
  "XDG_CONFIG_HOME",
  "XDG_RUNTIME_DIR",
  "DBUS_SESSION_BUS_ADDRESS",
  "HTTPS_PROXY",
  "NO_PROXY",
  "NODE_USE_ENV_PROXY",
  "NODE_EXTRA_CA_CERTS",
];

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** Codex gives a tool 60 s unless told otherwise, and reasoning takes longer. */
export function codexServerTable({ command, args }: ServerCommand): string {
  return `# Lets Codex ask ChatGPT: the MCP server of codex-gpt-bridge. docs/codex-setup.md
[mcp_servers.${SERVER_NAME}]
command = ${quoted(command)}
${args.length === 0 ? "" : `args = [${args.map(quoted).join(", ")}]\n`}env_vars = [
${VARIABLES.map((name) => `  ${quoted(name)},\n`).join("")}]
startup_timeout_sec = 20
tool_timeout_sec = 900
enabled_tools = ["ask_chatgpt", "ask_chatgpt_result"]
`;
}

/** Every JSON string is also a TOML basic string. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
