// Decides which step of a script answers a request, from what the conversation already holds. Pure.
import type { Progress } from "./responses-request.ts";
import type { FailureStep, PlainStep, Step } from "./steps.ts";

export interface Choice {
  readonly index: number;
  readonly step: PlainStep;
}

/**
 * Walks the script and strikes out what has been played: a call by its tool output, a message by the message,
 * a failure by its `times`. Returns the first step left, or null when the script is over.
 * `resolve` turns a step into a plain one, given the outputs that belong to the steps before it.
 */
export function chooseStep(
  steps: readonly Step[],
  progress: Progress,
  failuresPlayed: (index: number) => number,
  resolve: (step: Step, outputsBefore: readonly string[]) => PlainStep,
): Choice | null {
  const outputs = progress.outputs.map((output) => output.text);
  let answered = 0;
  let messages = progress.messages;
  for (const [index, given] of steps.entries()) {
    const step = resolve(given, outputs.slice(0, answered));
    if (isFailure(step)) {
      if (step.times === undefined || failuresPlayed(index) < step.times) return { index, step };
      continue;
    }
    const calls = callCount(step);
    if (calls === 0) {
      if (messages === 0) return { index, step };
      messages--;
    } else {
      if (outputs.length - answered < calls) return { index, step };
      answered += calls;
    }
  }
  return null;
}

export function isFailure(step: PlainStep): step is FailureStep {
  switch (step.kind) {
    case "httpError":
    case "malformed":
    case "dropConnection":
    case "silence":
    case "responseFailed":
      return true;
    default:
      return false;
  }
}

function callCount(step: Exclude<PlainStep, FailureStep>): number {
  switch (step.kind) {
    case "say":
    case "echoToolOutput":
      return 0;
    case "parallel":
      return step.calls.length;
    case "reasoning":
      return callCount(step.next);
    default:
      return 1;
  }
}
