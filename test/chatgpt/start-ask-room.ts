/** The room of ask_chatgpt with everything real but the process: ledger, redactor, the openai SDK against a scripted API. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRedactor } from "../../src/audit/redact.ts";
import { askChatgpt } from "../../src/chatgpt/ask.ts";
import { toAskContent, type AskOutcome } from "../../src/chatgpt/ask-answer.ts";
import { askInput, type AskOutput } from "../../src/chatgpt/ask-input.ts";
import { collectAnswer } from "../../src/chatgpt/ask-result.ts";
import type { AskRoom } from "../../src/chatgpt/ask-room.ts";
import { createResponsesApi } from "../../src/chatgpt/openai/responses-api.ts";
import { createPurse } from "../../src/chatgpt/purse.ts";
import { openLedger } from "../../src/chatgpt/sqlite/ledger.ts";
import type { AskConfig } from "../../src/config/ask-load.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { identifyDirectory } from "../../src/workspace/directory.ts";

export const TEST_KEY = "key-for-tests-only-0123456789";

export interface AskHouse {
  readonly room: AskRoom;
  readonly project: string;
  readonly ask: (args: Readonly<Record<string, unknown>>, signal?: AbortSignal) => Promise<AskOutput>;
  readonly collect: (responseId?: string, timeoutMs?: number) => Promise<AskOutput>;
  readonly shutdown: () => void;
  dispose(): Promise<void>;
}

export async function startAskRoom(baseUrl: string, settings: Partial<AskConfig> = {}): Promise<AskHouse> {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), "codex-gpt-bridge-ask-")));
  const [project, stateDir] = [join(scratch, "project"), join(scratch, "state")];
  await mkdir(project);
  const config: AskConfig = {
    model: "gpt-6-astra",
    models: [],
    timeoutMs: 30_000,
    secrets: "refuse",
    prices: {},
    apiKey: TEST_KEY,
    baseUrl,
    stateDir,
    configFile: null,
    keychain: false,
    auditPrompts: "hash",
    auditKeepDays: 30,
    auditKeepMb: 512,
    logLevel: "silent",
    ...settings,
  };
  const { maxUsdPerCall = null, maxUsdPerDay = null, maxUsdPerMonth = null } = config;
  const caps = { perCall: maxUsdPerCall, perDay: maxUsdPerDay, perMonth: maxUsdPerMonth };
  const purse = createPurse(openLedger(stateDir), caps, systemClock, silentLog);
  const api = await createResponsesApi({ apiKey: TEST_KEY, baseUrl, clock: systemClock });
  const ending = new AbortController();
  let calls = 0;
  const room: AskRoom = {
    config,
    project: await identifyDirectory(project),
    cwd: project,
    redactor: createRedactor({ secrets: [TEST_KEY] }),
    clock: systemClock,
    log: silentLog,
    shutdown: ending.signal,
    purse: async () => purse,
    api: async () => api,
    isExcepted: async () => false,
    record: async () => {},
    newCallId: () => `call-${(calls += 1)}`,
  };
  const shown = (outcome: AskOutcome, from: number): AskOutput =>
    toAskContent(outcome, systemClock.monotonic() - from);
  const callOf = (signal = new AbortController().signal) => ({
    signal,
    arrivedAt: systemClock.monotonic(),
    progress: { phase: "", outputTokens: 0 },
  });
  return {
    room,
    project,
    async ask(args, signal) {
      const call = callOf(signal);
      return shown(await askChatgpt(askInput.parse(args), call, room), call.arrivedAt);
    },
    async collect(responseId, timeoutMs) {
      const call = callOf();
      const args = {
        ...(responseId === undefined ? {} : { responseId }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      };
      return shown(await collectAnswer(args, call, room), call.arrivedAt);
    },
    shutdown() {
      ending.abort();
    },
    async dispose() {
      purse.close();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}
