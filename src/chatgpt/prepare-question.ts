/**
 * From a call's arguments to a question that may leave: the model is one that the owner allows, the files lie in the
 * project, nothing holds a secret. Gathers and decides; sends nothing and spends nothing.
 */
import { fail, ok, type Result } from "../lib/result.ts";
import { isSameDirectory } from "../policy/decide.ts";
import { identifyDirectory } from "../workspace/directory.ts";
import type { AskFailure } from "./ask-failure.ts";
import type { AskArgs } from "./ask-input.ts";
import type { AskRoom } from "./ask-room.ts";
import { screenTexts, type OutgoingText } from "./outgoing-text.ts";
import type { ProjectFile } from "./project-file.ts";
import type { ApiQuestion, ReasoningEffort } from "./responses-api.ts";

const MAX_ALL_FILES_BYTES = 2 * 1024 * 1024;
/** These think for so long that a call must not be all that holds the answer. */
const LONG_EFFORTS: ReadonlySet<ReasoningEffort> = new Set(["high", "xhigh", "max"]);

export async function prepareQuestion(
  args: AskArgs,
  room: AskRoom,
): Promise<Result<ApiQuestion, AskFailure>> {
  const { config, redactor } = room;
  const { model = config.model, reasoningEffort = null } = args;
  if (config.models.length > 0 && model !== config.model && !config.models.includes(model)) {
    return fail({ code: "model_not_allowed", allowed: [...new Set([config.model, ...config.models])] });
  }
  const files = await gatherFiles(args.files ?? [], room);
  if (!files.ok) return files;
  const schema = args.outputSchema === undefined ? null : JSON.stringify(args.outputSchema);
  const screened = screenTexts(
    [
      { place: "model", text: model, isFixed: true },
      { place: "previousResponseId", text: args.previousResponseId ?? "", isFixed: true },
      { place: "outputSchema", text: schema ?? "", isFixed: true },
      { place: "instructions", text: args.instructions ?? "" },
      { place: "prompt", text: args.prompt },
      ...files.value,
    ],
    config.secrets,
    redactor,
  );
  if (!screened.ok) return screened;
  const [, , , instructions = "", ...texts] = screened.value;
  return ok({
    model,
    texts,
    instructions: args.instructions === undefined ? null : instructions,
    effort: reasoningEffort,
    maxOutputTokens: args.maxOutputTokens ?? null,
    previousResponseId: args.previousResponseId ?? null,
    webSearch: args.webSearch ?? false,
    outputSchema: args.outputSchema ?? null,
    background: args.background ?? (reasoningEffort !== null && LONG_EFFORTS.has(reasoningEffort)),
  });
}

async function gatherFiles(
  names: readonly string[],
  room: AskRoom,
): Promise<Result<OutgoingText[], AskFailure>> {
  if (names.length === 0) return ok([]);
  const { project, cwd, config } = room;
  const rootNow = project === null ? null : await identifyDirectory(project.path);
  if (project === null || rootNow === null || !isSameDirectory(rootNow, project)) {
    return fail({ code: "file_not_allowed", file: "", why: "no_project" });
  }
  const { readProjectFile } = await import("./project-file.ts");
  const texts: OutgoingText[] = [];
  const secretNames: { kind: string; place: string }[] = [];
  let bytes = 0;
  for (const [index, name] of [...new Set(names)].entries()) {
    const file = await readProjectFile(project.path, cwd, name);
    if (!file.ok) return fail({ code: "file_not_allowed", file: `files[${index}]`, why: file.failure });
    const { path, text, nameKind } = file.value;
    bytes += Buffer.byteLength(text);
    if (bytes > MAX_ALL_FILES_BYTES)
      return fail({ code: "file_not_allowed", file: "", why: "all_too_large" });
    const place = `files: ${path}`;
    const isExcepted = config.secrets !== "off" && (await isExceptedByOwner(file.value, project.path, room));
    if (nameKind !== null && config.secrets !== "off" && !isExcepted)
      secretNames.push({ kind: nameKind, place });
    texts.push({ place: `the name of files[${index}]`, text: `File: ${path}`, isFixed: true });
    texts.push({ place, text, isExcepted });
  }
  if (secretNames.length === 0) return ok(texts);
  const kinds: Record<string, number> = {};
  for (const { kind } of secretNames) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return fail({ code: "secrets_found", kinds, places: secretNames.map(({ place }) => place) });
}

/** True where the owner's exceptions cover everything that is found in the file, as it was read. */
async function isExceptedByOwner(file: ProjectFile, root: string, room: AskRoom): Promise<boolean> {
  const kinds = room.redactor.find(file.text).filter(({ isSecret }) => isSecret);
  const found = [
    ...kinds.map(({ by }) => ({ kind: by.slice("[redacted:".length, -1), reason: "content" as const })),
    ...(file.nameKind === null ? [] : [{ kind: file.nameKind, reason: "name" as const }]),
  ];
  return found.length > 0 && room.isExcepted(root, file, found);
}
