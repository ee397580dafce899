/**
 * Failures in words: the only place where a code gets its message, whether it is worth retrying, and what to do
 * next. Plain words for a model and its user: no absolute path, no secret value, and never the name of a setting
 * that would lift the refusal (the owner reads those in the log and in docs/security.md).
 */
import type { Failure } from "../policy/failure.ts";

export interface WireError {
  readonly code: Failure["code"];
  readonly message: string;
  readonly retryable: boolean;
}

export interface Refusal {
  readonly error: WireError;
  readonly nextAction: string;
}

export function toRefusal(failure: Failure): Refusal {
  const { message, retryable, nextAction } = words(failure);
  return { error: { code: failure.code, message, retryable }, nextAction };
}

interface Words {
  readonly message: string;
  readonly retryable: boolean;
  readonly nextAction: string;
}

const ASK_OWNER = "Tell the user: only the owner can change this, on the machine where the bridge runs.";
const CORRECT_IT = "Correct the argument and call again.";
const TRY_AGAIN = "Call again in a moment.";

function words(failure: Failure): Words {
  switch (failure.code) {
    case "invalid_argument":
      return no(`The argument "${failure.argument}" ${failure.reason}.`, CORRECT_IT);
    case "unknown_project":
      return no(`There is no such project. Projects: ${list(failure.known)}.`, "Name one of these projects.");
    case "insufficient_scope":
      return no(
        `This connection may not do that: it lacks the permission to ${failure.needs}.`,
        failure.needs === "write"
          ? "Use codex_read for questions. For changes, tell the user to connect with the permission to write."
          : "Tell the user to connect again, with the permission to read.",
      );
    case "cwd_required":
      return no(
        `Say where to work: there is more than one project (${list(failure.known)}).`,
        "Call again with one of these names as project.",
      );
    case "cwd_not_allowed":
      return no(
        "This directory may not be used.",
        "Leave cwd out, or give a directory inside the project, relative to its root.",
      );
    case "secrets_found":
      return no(
        `The project holds files that look like secrets (${kinds(failure.kinds, failure.more)}), so nothing was started.`,
        `${ASK_OWNER} Another cwd or another try will not help.`,
      );
    case "scan_incomplete":
      return yes(
        "The project could not be checked for secrets completely, so nothing was started.",
        ASK_OWNER,
      );
    case "sandbox_not_allowed":
      return no(
        "Writing is not allowed in this project.",
        "Use codex_read, or codex_run with sandbox read-only, or ask the owner to allow writing.",
      );
    case "model_not_allowed":
      return no("This model may not be chosen.", "Leave model out to use the default.");
    case "unknown_thread":
      return no(
        "There is no such thread, or it is not yours.",
        "Use the threadId of an earlier answer, or start anew with codex_read or codex_run.",
      );
    case "thread_busy":
      return yes("A job is still working on this thread.", "Wait for it with codex_job_status, then reply.");
    case "unknown_job":
      return no(
        "There is no such job, or it is not yours.",
        "Call codex_job_status without arguments to find the newest job. Do not start the task again before that.",
      );
    case "busy":
      return yes(
        `All places are taken (${failure.running} running, ${failure.waiting} waiting).`,
        "Wait for one of the running jobs with codex_job_status, then call again.",
      );
    case "rate_limited":
      return yes(
        `Too many calls. The next is possible in ${seconds(failure.retryAfterMs)}.`,
        `Call again in ${seconds(failure.retryAfterMs)}.`,
      );
    case "codex_not_found":
      return no("Codex was not found on the machine.", `${ASK_OWNER} Codex has to be installed there.`);
    case "codex_not_logged_in":
      return no("Codex is not logged in.", `${ASK_OWNER} Running "codex login" there does it.`);
    case "codex_unsupported":
      return no(`The installed Codex cannot do this: ${failure.reason}.`, ASK_OWNER);
    case "confinement_unavailable":
      return no(
        ["Codex could not be confined to the project, so nothing was started.", failure.plain ?? ""]
          .join(" ")
          .trim(),
        `${ASK_OWNER} The reason is in the bridge's log.`,
      );
    case "timeout":
      return failure.what === "model"
        ? yes(
            `The model said nothing for ${seconds(failure.limitMs)}, so the turn was ended.`,
            "Go on with codex_reply on the same threadId, or call again.",
          )
        : yes(
            `The job took longer than its limit of ${seconds(failure.limitMs)} and was ended.`,
            "Go on with codex_reply on the same threadId, with a smaller step.",
          );
    case "cancelled":
      return no("The job was cancelled.", "Start again only if the user wants that.");
    case "interrupted":
      return yes(
        `The job was interrupted: ${failure.reason}`,
        "What was done is kept. Go on with codex_reply on the same threadId, or call again.",
      );
    case "codex_failed":
      return {
        message: `Codex failed (${failure.kind}): ${failure.message}`,
        retryable: failure.retryable,
        nextAction: failure.retryable
          ? "Call again, or go on with codex_reply on the same threadId."
          : "Tell the user what Codex said; the same call would fail again.",
      };
    case "internal":
      return yes("The bridge itself failed. The owner finds the reason in its log.", TRY_AGAIN);
  }
}

function no(message: string, nextAction: string): Words {
  return { message, retryable: false, nextAction };
}

function yes(message: string, nextAction: string): Words {
  return { message, retryable: true, nextAction };
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}

function kinds(counts: Readonly<Record<string, number>>, more: boolean): string {
  const parts = Object.entries(counts).map(([kind, count]) => `${kind}: ${count}`);
  return parts.join(", ") + (more ? ", and more" : "");
}

function seconds(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms / 1_000));
  return whole === 1 ? "1 second" : `${whole} seconds`;
}
