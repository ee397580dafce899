/**
 * One life of a tunnel that is a program: started, heard, watched through its health endpoint, and ended with all that
 * it started. Puts it on record, so that it does not outlive a killed bridge for good. Never starts it again.
 */
import { spawnChild, type ChildExit, type ChildProgram } from "../lib/child.ts";
import type { ChildRegistry } from "../lib/child-registry.ts";
import type { Log } from "../lib/log.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { watchHealth, type HealthTiming, type HealthUrls } from "./health-watch.ts";
import { parseOutputLine, type OutputLine } from "./output-line.ts";
import type { OpenTunnel, TunnelEvent, TunnelFailure } from "./provider.ts";

export interface TunnelProcessParts {
  /** What to call it in the log. */
  readonly name: string;
  readonly program: ChildProgram;
  readonly children: ChildRegistry;
  readonly log: Log;
  readonly hear: (event: TunnelEvent) => void;
  /** Each line that it writes, on either stream. */
  readonly onLine?: (line: OutputLine) => void;
  /** Where its health endpoint is; null as long as that is not known. */
  readonly health: () => Promise<HealthUrls | null>;
  readonly timing?: Partial<HealthTiming>;
}

export async function startTunnelProcess(
  parts: TunnelProcessParts,
  signal: AbortSignal,
): Promise<Result<OpenTunnel, TunnelFailure>> {
  const { name, program, children, log, hear, onLine = () => {}, health, timing = {} } = parts;
  let lastComplaint = "";
  const onOutput = (raw: string): void => {
    const line = parseOutputLine(raw);
    onLine(line);
    if (line.text === "") return;
    const isComplaint = line.level === "warn" || line.level === "error";
    // A program that says the same thing again and again is heard once.
    if (isComplaint && line.text !== lastComplaint) log.warn({ says: line.text }, `${name} complains`);
    else log.debug({ says: line.text }, `${name} says`);
    if (isComplaint) lastComplaint = line.text;
  };
  if (signal.aborted) return fail({ why: "it is not wanted any more", isFinal: false });
  const spawned = await spawnChild(program, onOutput, onOutput);
  if (!spawned.ok) {
    return fail({ why: `${name} cannot be started: ${spawned.failure.reason}`, isFinal: false });
  }
  const child = spawned.value;
  await children.note(child.pid, child.exited);
  log.info({ pid: child.pid }, `${name} started`);

  const watching = new AbortController();
  let verdict: string | null = null;
  const watched = watchHealth(health, hear, timing, watching.signal).then(async (why) => {
    if (why === null) return;
    verdict = why;
    await child.stop();
  });
  const ended = child.exited.then(async (exit) => {
    watching.abort();
    await watched;
    return verdict === null ? toReason(name, exit, lastComplaint) : `${name} was ended: ${verdict}`;
  });
  return ok({
    ended,
    async close() {
      watching.abort();
      await child.stop();
      await ended;
    },
  });
}

const MAX_WORDS = 300;

function toReason(name: string, { code, signal, stderrTail }: ChildExit, lastComplaint: string): string {
  const how = signal === null ? `exited with code ${String(code)}` : `was ended by ${signal}`;
  const lastLine = stderrTail.trimEnd().split("\n").at(-1) ?? "";
  const words = lastComplaint === "" ? parseOutputLine(lastLine).text : lastComplaint;
  return words === "" ? `${name} ${how}` : `${name} ${how}; it last said: ${words.slice(0, MAX_WORDS)}`;
}
