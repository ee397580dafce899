/** What a tunnel program says about itself: JSON lines (tunnel-client) or lines with a level in them (cloudflared). */
import { z } from "zod";

export interface OutputLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
}

const MAX_TEXT = 500;

const jsonLine = z.looseObject({
  level: z.string().optional().catch(undefined),
  msg: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  error: z.string().optional().catch(undefined),
});

const LEVELS: Readonly<Record<string, OutputLine["level"]>> = {
  DEBUG: "debug",
  DBG: "debug",
  TRC: "debug",
  INFO: "info",
  INF: "info",
  WARN: "warn",
  WARNING: "warn",
  WRN: "warn",
  ERROR: "error",
  ERR: "error",
  FATAL: "error",
  FTL: "error",
  PANIC: "error",
  PNC: "error",
};

// oxlint-disable-next-line no-control-regex -- a program that takes us for a terminal colours its lines
const COLOURS = /\u001B\[[0-9;]*m/g;
const LEVELLED = /^(?:\d{4}-\d{2}-\d{2}T\S+ )?([A-Z]{3,7})\s+(.*)$/s;

export function parseOutputLine(line: string): OutputLine {
  const plain = line.replaceAll(COLOURS, "").trim();
  const json = parseJsonLine(plain);
  if (json !== null) return json;
  const [, level = "", text = ""] = LEVELLED.exec(plain) ?? [];
  const known = LEVELS[level];
  return known === undefined ? toLine("info", plain) : toLine(known, text);
}

function parseJsonLine(line: string): OutputLine | null {
  if (!line.startsWith("{")) return null;
  try {
    const { level = "INFO", msg, message, error } = jsonLine.parse(JSON.parse(line));
    const text = msg ?? message ?? "";
    return toLine(LEVELS[level.toUpperCase()] ?? "info", error === undefined ? text : `${text}: ${error}`);
  } catch {
    return null; // cut off, or no JSON after all
  }
}

function toLine(level: OutputLine["level"], text: string): OutputLine {
  return { level, text: text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text };
}
