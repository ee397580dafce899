/** A terminal as a person has it: tmux, 80 columns, typed into and read from. Waits for what is on the screen, never for time. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { countStart, noteGiven, searchAnswer, searchWritten } from "./leak-search.ts";

const run = promisify(execFile);

export const hasTmux = existsSync("/usr/bin/tmux") || existsSync("/opt/homebrew/bin/tmux");

export interface TmuxSession {
  /** Types text and presses Enter. */
  enter(text: string): Promise<void>;
  /** Presses keys by their names in tmux: "Enter", "Up", "Space". */
  press(...keys: readonly string[]): Promise<void>;
  /** Empties the screen and forgets what was above it. */
  clear(): Promise<void>;
  /** Waits until `wanted` is on the screen, or was and has scrolled away; gives the whole screen. */
  until(wanted: RegExp | string): Promise<string>;
  /** All that was on the screen so far, lines joined where the terminal broke them. */
  screen(): Promise<string>;
  close(): Promise<void>;
}

const PATIENCE_MS = 90_000;
let count = 0;

export async function openTmux(options: {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}): Promise<TmuxSession> {
  const socket = `codex-gpt-bridge-test-${process.pid}-${count++}`;
  // The terminal itself gets nothing of this process's environment.
  const env = { PATH: "/usr/local/bin:/opt/homebrew/bin:/usr/bin:/bin", LANG: "C.UTF-8", ...options.env };
  noteGiven([], options.env);
  countStart();
  const tmux = async (...args: readonly string[]): Promise<string> =>
    (await run("tmux", ["-L", socket, "-f", "/dev/null", ...args], { env })).stdout;
  await tmux("new-session", "-d", "-x", "80", "-y", "50", "-c", options.cwd, "bash --norc --noprofile");
  await tmux("set-option", "-g", "history-limit", "5000");
  const screen = async (): Promise<string> => (await tmux("capture-pane", "-p", "-J", "-S", "-")).trimEnd();
  return {
    screen,
    async enter(text) {
      await tmux("send-keys", "-l", text);
      await tmux("send-keys", "Enter");
    },
    async clear() {
      await tmux("send-keys", "-R");
      await tmux("clear-history");
    },
    async press(...keys) {
      await tmux("send-keys", ...keys);
    },
    async until(wanted) {
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        const text = await screen();
        searchAnswer("a terminal", text);
        if (typeof wanted === "string" ? text.includes(wanted) : wanted.test(text)) return text;
        if (Date.now() > deadline) throw new Error(`${String(wanted)} did not come:\n${text}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    async close() {
      const texts = { screen: await screen().catch(() => "") };
      await tmux("kill-server").catch(() => {});
      const { HOME: home = options.cwd } = options.env;
      const directories = [".config", ".local"].map((name) => join(home, name));
      await searchWritten({ process: "a terminal", texts, directories });
    },
  };
}
