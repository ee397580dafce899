/**
 * A program for tests of child processes: `node fixture-child.ts MODE`. Each mode is one way in which a child can
 * behave badly, or well. Every mode but those that die at once writes `ready` first, as its first line.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const [mode = "", argument = ""] = process.argv.slice(2);
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const stayAlive = (): void => void setInterval(() => {}, 1_000);

const modes: Record<string, () => void> = {
  echo() {
    createInterface({ input: process.stdin }).on("line", (line) => say(`echo ${line}`));
    say("ready");
  },
  /** Hears neither the end of its input nor TERM. */
  deaf() {
    process.on("SIGTERM", () => say("heard TERM"));
    stayAlive();
    say("ready");
  },
  /** Ends on TERM only. */
  "term-only"() {
    process.on("SIGTERM", () => process.exit(7));
    stayAlive();
    say("ready");
  },
  "flood-stderr"() {
    for (let n = 0; n < 2_000; n += 1) process.stderr.write(`${"e".repeat(999)}\n`);
    process.stderr.write("the last words");
    say("ready");
    process.stdin.resume();
  },
  /** One line that never ends. */
  "flood-stdout"() {
    say("ready");
    const piece = "x".repeat(1024 * 1024);
    const pour = (): void => {
      while (process.stdout.write(piece));
    };
    process.stdout.on("drain", pour);
    pour();
  },
  die() {
    process.stderr.write("cannot go on");
    process.exit(3);
  },
  "kill-itself"() {
    process.kill(process.pid, "SIGKILL");
  },
  /** Starts a child in its own group, tells its pid, and ends when its input ends. */
  "leave-child"() {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    child.unref();
    say(`ready ${child.pid}`);
    process.stdin.on("end", () => process.exit(0)).resume();
  },
  /** Ends while somebody outside its group still holds its pipes. */
  "leave-pipe"() {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {
      stdio: ["ignore", "inherit", "inherit"],
      detached: true,
    });
    child.unref();
    say(`ready ${child.pid}`);
    process.stdin.on("end", () => process.exit(0)).resume();
  },
  surroundings() {
    say(JSON.stringify({ env: process.env, cwd: process.cwd(), argument }));
  },
};

modes[mode]?.();
