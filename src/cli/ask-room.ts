/** Everything behind the two tools of `codex-chatgpt-mcp`, wired: loaded with the first call, opened with the first question. */
import { askAuditDirectoryOf } from "../audit/audit-directory.ts";
import type { Redactor } from "../audit/redact.ts";
import { createSharedAuditLog } from "../audit/shared-audit-log.ts";
import type { AskRoom } from "../chatgpt/ask-room.ts";
import type { AskConfig } from "../config/ask-load.ts";
import { systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { once } from "../lib/once.ts";
import type { DirectoryIdentity } from "../policy/grant.ts";
import { isInside } from "../workspace/directory.ts";
import { exceptionsFileOf } from "./exceptions-file.ts";

export interface AskRoomParts {
  readonly config: AskConfig;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly project: DirectoryIdentity | null;
  readonly redactor: Redactor;
  readonly log: Log;
  readonly shutdown: AbortSignal;
}

export function createAskRoom({ environment, ...parts }: AskRoomParts): AskRoom {
  const { config, project, redactor, log } = parts;
  const ownPlaces = [config.stateDir, config.configFile].filter((path) => path !== null);
  if (project !== null && ownPlaces.some((path) => isInside(project.path, path))) {
    log.warn(
      {},
      "the state directory or the config file lies in the project: what works there can change the caps",
    );
  }
  return {
    ...parts,
    clock: systemClock,
    purse: once(async () => openPurse(config, log)),
    api: once(async () => {
      const { createResponsesApi } = await import("../chatgpt/openai/responses-api.ts");
      const { apiKey, baseUrl } = config;
      return createResponsesApi({ apiKey: apiKey ?? "", baseUrl, clock: systemClock });
    }),
    isExcepted: async (root, file, found) =>
      isExcepted(root, file, found, exceptionsFileOf(config, environment)),
    newCallId: () => crypto.randomUUID(),
    record: createSharedAuditLog({
      directory: askAuditDirectoryOf(config.stateDir),
      redact: redactor.redact,
      prompts: config.auditPrompts,
      clock: systemClock,
      log,
      keepDays: config.auditKeepDays,
      keepBytes: config.auditKeepMb * 1024 * 1024,
    }),
  };
}

async function openPurse(config: AskConfig, log: Log) {
  const { openLedger } = await import("../chatgpt/sqlite/ledger.ts");
  const { createPurse } = await import("../chatgpt/purse.ts");
  const { maxUsdPerCall = null, maxUsdPerDay = null, maxUsdPerMonth = null } = config;
  const caps = { perCall: maxUsdPerCall, perDay: maxUsdPerDay, perMonth: maxUsdPerMonth };
  return createPurse(openLedger(config.stateDir), caps, systemClock, log);
}

async function isExcepted(
  root: string,
  { path, sha256 }: Parameters<AskRoom["isExcepted"]>[1],
  found: Parameters<AskRoom["isExcepted"]>[2],
  list: string,
): Promise<boolean> {
  const { applyExceptions, readExceptions } = await import("../workspace/exceptions.ts");
  const exceptions = await readExceptions(list, [root]);
  if (!exceptions.ok || exceptions.value.length === 0) return false;
  const findings = found.map(({ kind, reason }) => ({ path, kind, reason }));
  const left = await applyExceptions(root, findings, exceptions.value, Date.now(), async () => sha256);
  return left.length === 0;
}
