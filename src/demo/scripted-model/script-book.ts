// Remembers which prompts are scripted, how far each script got, and what tools answered.
// It keeps a bounded memory and never talks to the network.
import { chooseStep, isFailure } from "./choose-step.ts";
import { parseInlineScript } from "./inline-script.ts";
import {
  progressAfter,
  promptsOf,
  type Progress,
  type PromptPlace,
  type ScriptedRequest,
} from "./responses-request.ts";
import { say, type PlainStep, type Step } from "./steps.ts";

const maxRemembered = 5000;

interface Script {
  readonly key: string;
  readonly steps: readonly Step[];
}

interface Play {
  readonly step: PlainStep;
  /** Newest tool output of the turn, or null. */
  readonly lastOutput: string | null;
}

export interface ScriptBook {
  readonly add: (text: string, steps: readonly Step[]) => void;
  /** The step that answers this request. Counts a played failure. Throws a plain Error on an unreadable inline script. */
  play(request: ScriptedRequest): Play;
  /** Tool outputs of every turn whose prompt contains the text, in the order in which they came. */
  readonly toolOutputs: (text: string) => readonly string[];
}

export function createScriptBook(): ScriptBook {
  const scripts = new Map<string, Script>();
  const failures = new Map<string, number>();
  const scriptedTurns = new Map<string, true>();
  const answers = new Map<string, { prompt: string; text: string }>();
  let added = 0;

  function scriptFor(place: PromptPlace, request: ScriptedRequest): Script | null {
    const inline = parseInlineScript(place.text);
    if (!inline.ok) throw new Error(`unreadable inline script: ${inline.failure}`);
    if (inline.value !== null)
      return { key: `inline ${request.threadId} ${place.text}`, steps: inline.value };
    const match = [...scripts].toReversed().find(([text]) => place.text.includes(text));
    return match?.[1] ?? null;
  }

  /** The newest prompt counts. Only where more was said during a scripted turn may an older prompt go on. */
  function find(request: ScriptedRequest): { place: PromptPlace; script: Script } | null {
    const prompts = promptsOf(request.input).toReversed();
    const steered = request.turnId !== null && scriptedTurns.has(request.turnId);
    for (const place of steered ? prompts : prompts.slice(0, 1)) {
      const script = scriptFor(place, request);
      if (script !== null) return { place, script };
    }
    return null;
  }

  function playScript(
    script: Script,
    place: PromptPlace,
    progress: Progress,
    request: ScriptedRequest,
  ): PlainStep {
    const failuresOf = (index: number) => failures.get(`${script.key} ${index}`) ?? 0;
    const choice = chooseStep(script.steps, progress, failuresOf, (step, outputs) =>
      typeof step === "function" ? step({ prompt: place.text, outputs, request }) : step,
    );
    if (choice === null) return say("The script has no further step.");
    if (isFailure(choice.step))
      remember(failures, `${script.key} ${choice.index}`, failuresOf(choice.index) + 1);
    return choice.step;
  }

  return {
    add(text, steps) {
      scripts.delete(text);
      scripts.set(text, { key: `script ${++added}`, steps });
    },

    play(request) {
      const found = find(request);
      const place = found?.place ?? promptsOf(request.input).at(-1);
      if (place === undefined) return { step: say("Hello from the scripted model."), lastOutput: null };
      const progress = progressAfter(request.input, place.at);
      for (const { callId, text } of progress.outputs)
        remember(answers, callId, { prompt: place.text, text });
      const lastOutput = progress.outputs.at(-1)?.text ?? null;
      if (found === null) return { step: say("Hello from the scripted model."), lastOutput };
      if (request.turnId !== null) remember(scriptedTurns, request.turnId, true);
      return { step: playScript(found.script, place, progress, request), lastOutput };
    },

    toolOutputs: (text) =>
      [...answers.values()].filter(({ prompt }) => prompt.includes(text)).map((answer) => answer.text),
  };
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.set(key, value);
  if (map.size <= maxRemembered) return;
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}
