// Writes a CODEX_HOME whose only model is the scripted one, and with which Codex connects to nothing but that.
// The directory must not lie below the system's temporary directory: Codex warns there and goes without its helpers.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface ScriptedCodexHomeOptions {
  /** An unknown name gets function tools; a name that Codex knows (`gpt-6-astra`, ...) gets that model's tools. */
  readonly model?: string;
  /** Name of the variable that holds the key; without it Codex sends no Authorization header. */
  readonly envKey?: string;
  /** How often Codex tries again, for requests and for streams (0). */
  readonly retries?: number;
  readonly streamIdleTimeoutMs?: number;
  /** More TOML: lines before its first table go to the top level, the rest to the end. A key may not be set twice. */
  readonly extraToml?: string;
}

/** Writes `dir/config.toml`, making `dir` (mode 700) where needed. Measured with Codex 0.153.4 and 0.169.0. */
export async function writeScriptedCodexHome(
  dir: string,
  modelUrl: string,
  options: ScriptedCodexHomeOptions = {},
): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeFile(join(dir, "config.toml"), scriptedConfig(modelUrl, options), { mode: 0o600 });
}

function scriptedConfig(modelUrl: string, options: ScriptedCodexHomeOptions): string {
  const {
    model = "scripted-model",
    envKey,
    retries = 0,
    streamIdleTimeoutMs = 600_000,
    extraToml = "",
  } = options;
  const firstTable = /^[ \t]*\[/m.exec(extraToml)?.index ?? extraToml.length;
  return `model = ${quoted(model)}
model_provider = "scripted"
model_reasoning_effort = "low"
approval_policy = "never"
check_for_update_on_startup = false
web_search = "disabled"
cli_auth_credentials_store = "file"
${extraToml.slice(0, firstTable)}
[analytics]
enabled = false

[feedback]
enabled = false

[otel]
exporter = "none"
trace_exporter = "none"
metrics_exporter = "none"

# Plugins are the ones that would ask github.com and chatgpt.com.
[features]
apps = false
plugins = false
remote_plugin = false
unbounded_connection_retries = false

[model_providers.scripted]
name = "Scripted"
base_url = ${quoted(modelUrl)}
wire_api = "responses"
requires_openai_auth = false
supports_websockets = false
request_max_retries = ${retries}
stream_max_retries = ${retries}
stream_idle_timeout_ms = ${streamIdleTimeoutMs}
${envKey === undefined ? "" : `env_key = ${quoted(envKey)}\n`}
${extraToml.slice(firstTable)}`;
}

/** Every JSON string is also a TOML basic string. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
