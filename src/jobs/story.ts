/** A job's story for whoever watches: Codex events in, short event texts and progress out. Pure. */
import type { CodexEvent } from "../codex/events.ts";
import { cutText } from "../lib/cut-text.ts";
import type { Progress } from "./job.ts";

const MAX_TEXT_BYTES = 300;

/** Whole, to be redacted before `toEventText` cuts it. null: nothing worth telling (token counts come too often). */
export function toStory(event: CodexEvent): { type: string; text: string } | null {
  switch (event.type) {
    case "thread":
      return { type: "thread", text: `Codex opened thread ${event.threadId}.` };
    case "turn":
      return { type: "turn", text: "Codex began the turn." };
    case "command-started":
      return { type: "command", text: `Runs: ${plainCommand(event.command)}` };
    case "command-finished":
      return {
        type: "command-result",
        text: `${endOf(event.exitCode)}: ${plainCommand(event.command)}`,
      };
    case "changes":
      return { type: "changes", text: `Changed: ${event.changes.map(({ path }) => path).join(", ")}` };
    case "message":
      return { type: "message", text: event.text };
    case "reasoning":
      return { type: "reasoning", text: event.text };
    case "tool":
      return { type: "tool", text: `Tool ${event.name}${event.ok === false ? " failed" : ""}` };
    case "declined":
      return { type: "declined", text: `Codex asked to ${event.what}. ${event.reason}` };
    case "retrying":
      return { type: "retrying", text: event.message };
    case "warning":
      return { type: "warning", text: event.message };
    case "usage":
      return null;
  }
}

/** One line of at most 300 bytes. Not for a text that was not redacted: of half a secret nobody could tell that it is one. */
export function toEventText(text: string): string {
  const flat = text.replaceAll(/\s+/g, " ").trim();
  const cut = cutText(flat, MAX_TEXT_BYTES);
  return cut.wasCut ? `${cut.text}…` : cut.text;
}

export function advance(progress: Progress, event: CodexEvent, text: string | null): Progress {
  const lastEvent = text ?? progress.lastEvent;
  switch (event.type) {
    case "turn":
    case "reasoning":
    case "message":
      return { ...progress, phase: "thinking", lastEvent };
    case "command-started":
      return { ...progress, phase: "running a command", commands: progress.commands + 1, lastEvent };
    case "command-finished":
      return { ...progress, phase: "thinking", lastEvent };
    case "changes":
      return { ...progress, phase: "editing files", filesChanged: event.changes.length, lastEvent };
    default:
      return { ...progress, lastEvent };
  }
}

/** Codex wraps commands as `/bin/bash -lc '...'`; people want to see what runs. */
function plainCommand(command: string): string {
  const match = /^\S*\b(?:ba|z|da)?sh -l?c (.*)$/s.exec(command);
  const inner = match?.[1] ?? command;
  return /^'.*'$/s.test(inner) ? inner.slice(1, -1).replaceAll(`'"'"'`, "'") : inner;
}

function endOf(exitCode: number | null): string {
  if (exitCode === 0) return "Done";
  return exitCode === null ? "Ended" : `Failed (exit code ${exitCode})`;
}
