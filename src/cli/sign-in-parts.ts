/** Signing in (OAuth) as a part of this bridge: opened only where the owner has set a public URL. */
import type { AuditLog } from "../audit/audit-log.ts";
import type { OAuth } from "../auth/oauth/oauth.ts";
import type { Config } from "../config/load.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { ok, type Result } from "../lib/result.ts";
import type { Output } from "./terminal.ts";

interface SignInParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: AuditLog;
}

/** null: nobody signs in here. The failure is one plain line for the owner. */
export async function openSignIn(
  config: Config,
  { clock, log, audit }: SignInParts,
): Promise<Result<OAuth | null, string>> {
  const { publicUrl, ephemeral, stateDir } = config;
  if (publicUrl === undefined) return ok(null);
  const { openOAuth } = await import("../auth/oauth/oauth.ts");
  return openOAuth({
    settings: { ...config, publicUrl },
    directory: ephemeral ? null : stateDir,
    clock,
    log,
    onConsent: ({ requestId, outcome, clientId, scopes }) => {
      audit.record({ type: "sign_in", requestId, outcome, clientId, scopes });
      const fields = { requestId, outcome, clientId, scopes };
      if (outcome === "granted") log.info(fields, "the owner let a client in");
      else if (outcome === "denied") log.info(fields, "the owner refused a client");
      else log.warn(fields, "somebody typed a wrong passcode");
    },
  });
}

/** The passcode is shown on a terminal and nowhere else: a log that is kept would give it to whoever reads it. */
export async function showPasscode(oauth: OAuth, outputs: readonly Output[], log: Log): Promise<void> {
  const terminal = outputs.find(({ isTTY }) => isTTY === true);
  const passcode = terminal === undefined ? null : await oauth.makePasscode();
  if (terminal !== undefined && passcode !== null) {
    terminal.write(
      `\n  Passcode for letting ChatGPT in: ${passcode}\n  (valid until the next start; needed once for each connection)\n\n`,
    );
  } else if (!oauth.hasPasscode()) {
    log.warn({}, "no passcode yet, so nobody can sign in; make one with: codex-gpt-bridge sign-in passcode");
  }
}

/** The host of the public URL is this bridge's own. */
export function allowedHostsOf({ allowedHosts, publicUrl }: Config): string[] {
  return publicUrl === undefined ? [...allowedHosts] : [...allowedHosts, new URL(publicUrl).hostname];
}

/** Struck out wherever they would be written. */
export function ownSecrets(config: Config): (string | undefined)[] {
  return [config.token, config.headerSecret, config.oauthPasscode, config.oauthClientSecret];
}
