/** The menu. It does not change with settings: ChatGPT reads it once, and test/golden/tools.json pins it. */
import { bridgeStatus } from "./bridge-status.ts";
import { codexJobCancel } from "./codex-job-cancel.ts";
import { codexJobStatus } from "./codex-job-status.ts";
import { codexRead } from "./codex-read.ts";
import { codexReply } from "./codex-reply.ts";
import { codexRun } from "./codex-run.ts";
import type { Tool } from "./tool.ts";

export const tools: readonly Tool[] = [
  bridgeStatus,
  codexRead,
  codexRun,
  codexReply,
  codexJobStatus,
  codexJobCancel,
];
