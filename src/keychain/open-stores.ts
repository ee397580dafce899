/** The stores of this machine: the system's keychain where there is one, and the file that stands in for it. */
import { userInfo } from "node:os";
import { findProgram } from "../lib/find-program.ts";
import { createMacosKeychain } from "./macos-keychain.ts";
import { createSecretFile } from "./secret-file.ts";
import { createSecretService } from "./secret-service.ts";
import type { SecretStore } from "./secret-store.ts";

export interface Stores {
  /** null: this machine has none that we can use. Whether it answers is seen when it is used. */
  readonly system: SecretStore | null;
  readonly file: SecretStore;
}

export interface StoreSearch {
  readonly platform: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where secrets are kept when there is no keychain. */
  readonly filePath: string;
  /** How long the keychain may take for an answer. */
  readonly waitMs: number;
}

const SECURITY = "/usr/bin/security";
/** What the system's tools need to reach the session; no secret of ours among it. */
const PASSED = ["HOME", "USER", "LOGNAME", "LANG", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"];

export async function openStores(search: StoreSearch): Promise<Stores> {
  return { system: await openSystemStore(search), file: createSecretFile(search.filePath) };
}

async function openSystemStore({ platform, environment, waitMs }: StoreSearch): Promise<SecretStore | null> {
  const env: Record<string, string> = {};
  for (const name of [...PASSED, "PATH", "XDG_RUNTIME_DIR"]) {
    const value = environment[name];
    if (value !== undefined) env[name] = value;
  }
  const account = accountOf(environment);
  if (platform === "darwin") return createMacosKeychain({ command: SECURITY, account, env, waitMs });
  const command = platform === "linux" ? await findProgram("secret-tool", environment["PATH"]) : null;
  const hasBus =
    environment["DBUS_SESSION_BUS_ADDRESS"] !== undefined || environment["XDG_RUNTIME_DIR"] !== undefined;
  return command === null || !hasBus ? null : createSecretService({ command, account, env, waitMs });
}

function accountOf(environment: StoreSearch["environment"]): string {
  try {
    return userInfo().username;
  } catch {
    return environment["USER"] ?? "codex-gpt-bridge"; // a user that the system has no entry for
  }
}
