// Scripts that travel inside a prompt as `SCRIPT[...]`, for a caller that shares no memory with the model.
// What stands in a prompt comes from outside: every field is checked, and nothing is guessed or repaired.
import { fail, ok, type Result } from "../../lib/result.ts";
import type { PlainStep } from "./steps.ts";

const marker = "SCRIPT[";

/** The text to put into a prompt so that the model plays these steps. */
export function inlineScript(steps: readonly PlainStep[]): string {
  return `SCRIPT${JSON.stringify(steps)}`;
}

/** The last script of a prompt, null where there is none, or what is wrong with it. */
export function parseInlineScript(prompt: string): Result<readonly PlainStep[] | null, string> {
  const at = prompt.lastIndexOf(marker);
  if (at < 0) return ok(null);
  const json = balancedArray(prompt, at + marker.length - 1);
  if (json === null) return fail("the array after SCRIPT never ends");
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
  return toSteps(value);
}

function toSteps(value: unknown): Result<readonly PlainStep[], string> {
  if (!Array.isArray(value) || value.length === 0) return fail("a script needs at least one step");
  const problem = value
    .map((step, index) => problemOf(step, `step ${index}`))
    .find((found) => found !== null);
  return problem === undefined ? ok(value as PlainStep[]) : fail(problem);
}

/** The JSON array that opens at `start`, brackets inside strings not counted. */
function balancedArray(text: string, start: number): string | null {
  let depth = 0;
  let inString = false;
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (inString) {
      if (char === "\\") i++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === "[") depth++;
    else if (char === "]" && --depth === 0) return text.slice(start, i + 1);
  }
  return null;
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isStatus: Check = (value) => isCount(value) && Number(value) >= 200 && Number(value) <= 599;
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isHeaders: Check = (value) => isObject(value) && Object.values(value).every(isText);
const anything: Check = () => true;
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const oneOf =
  (...allowed: readonly string[]): Check =>
  (value) =>
    typeof value === "string" && allowed.includes(value);
const stepOf =
  (kinds: readonly PlainStep["kind"][]): Check =>
  (value) =>
    isObject(value) && oneOf(...kinds)(value["kind"]) && problemOf(value, "") === null;

const callKinds = ["shell", "patch", "callTool", "js"] as const;
const isCalls: Check = (value) => Array.isArray(value) && value.length > 0 && value.every(stepOf(callKinds));
const isAnswer = stepOf(["say", "echoToolOutput", "parallel", ...callKinds]);
const times = maybe(isCount);
const when = oneOf("before", "mid");

const shapes: Record<PlainStep["kind"], Record<string, Check>> = {
  say: { text: isText, chunks: maybe(isCount), chunkMs: maybe(isCount), delayMs: maybe(isCount) },
  shell: { cmd: isText, yieldMs: maybe(isCount), workdir: maybe(isText), escalate: maybe(isFlag) },
  patch: { patch: isText },
  callTool: { tool: isText, args: isObject, namespace: maybe(isText) },
  js: { code: isText },
  echoToolOutput: {},
  parallel: { calls: isCalls },
  reasoning: { text: isText, next: isAnswer },
  httpError: { status: isStatus, body: anything, headers: maybe(isHeaders), times },
  malformed: { how: oneOf("garbage", "json", "html"), times },
  dropConnection: { when, times },
  silence: { when, ms: isCount, times },
  responseFailed: { code: isText, message: isText, times },
};

function isKind(kind: unknown): kind is PlainStep["kind"] {
  return typeof kind === "string" && Object.hasOwn(shapes, kind);
}

function problemOf(step: unknown, name: string): string | null {
  if (!isObject(step)) return `${name} is not an object`;
  const { kind, ...fields } = step;
  if (!isKind(kind)) return `${name} has an unknown kind`;
  const shape = shapes[kind];
  const unknown = Object.keys(fields).find((field) => !Object.hasOwn(shape, field));
  if (unknown !== undefined) return `${name} (${kind}) has an unknown field ${JSON.stringify(unknown)}`;
  const wrong = Object.entries(shape).find(([field, check]) => !check(fields[field]));
  return wrong === undefined ? null : `${name} (${kind}) has a wrong ${wrong[0]}`;
}
