/**
 * Ends the commands that a thread of `codex mcp-server` left running: Codex stops a cancelled turn, but not its
 * commands (measured on 0.153.4). Only processes below our own child are ever touched, one by one, by pid.
 *
 * Whose a command is: on Linux, Codex names the thread in the environment of each command (CODEX_THREAD_ID). Where
 * the environment of a process cannot be read (macOS), its command line has to end like a command that the turn
 * began, and no other turn of the same process may have begun the same one.
 */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

export interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  /** Arguments joined by a space. */
  readonly commandLine: string;
}

export interface ThreadCommands {
  readonly codexPid: number;
  readonly threadId: string;
  /** Command lines that the turn began. */
  readonly begun: readonly string[];
  /** Command lines that other turns of the same process began. */
  readonly begunByOthers: readonly string[];
}

/** A command may just have been on its way; it takes two empty looks in a row to believe that there is none. */
const QUIET_LOOKS = 2;
const MOST_LOOKS = 20;
const BETWEEN_LOOKS_MS = 50;

/** Resolves to false when something was still there at the last look. */
export async function endCommandsOf(commands: ThreadCommands): Promise<boolean> {
  return endUntilQuiet(commands.codexPid, async (child) => isOfThread(child, commands));
}

/** Ends everything below a process, whoever started it. */
export async function endCommandsBelow(pid: number): Promise<boolean> {
  return endUntilQuiet(pid, async () => true, 1);
}

async function endUntilQuiet(
  pid: number,
  isWanted: (child: ProcessEntry) => Promise<boolean>,
  quietLooks = QUIET_LOOKS,
): Promise<boolean> {
  let quiet = 0;
  for (let look = 0; look < MOST_LOOKS; look += 1) {
    const all = await listProcesses();
    const children = all.filter((entry) => entry.parentPid === pid);
    const wanted: ProcessEntry[] = [];
    for (const child of children) if (await isWanted(child)) wanted.push(child);
    quiet = wanted.length === 0 ? quiet + 1 : 0;
    if (quiet >= quietLooks) return true;
    for (const child of wanted) killTree(child.pid, all);
    await sleep(BETWEEN_LOOKS_MS);
  }
  return false;
}

async function isOfThread(child: ProcessEntry, commands: ThreadCommands): Promise<boolean> {
  if (process.platform === "linux") {
    const environment = await readFile(`/proc/${child.pid}/environ`, "utf8").catch(() => ""); // gone already
    return environment.split("\0").includes(`CODEX_THREAD_ID=${commands.threadId}`);
  }
  return isBegunAlone(child.commandLine, commands);
}

/** Judges by command lines alone; `ps` shows the first line of a command of several. */
export function isBegunAlone(
  commandLine: string,
  { begun, begunByOthers }: Pick<ThreadCommands, "begun" | "begunByOthers">,
): boolean {
  const others = new Set(begunByOthers.map(firstLineOf));
  return begun
    .map(firstLineOf)
    .some((command) => command !== "" && commandLine.endsWith(command) && !others.has(command));
}

function firstLineOf(command: string): string {
  return command.split("\n", 1)[0] ?? "";
}

/** Top down, so that nobody is left who could start a killed one again. */
function killTree(pid: number, all: readonly ProcessEntry[]): void {
  killProcess(pid);
  for (const child of all) if (child.parentPid === pid) killTree(child.pid, all);
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It has ended by itself, which is all we want.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

async function listProcesses(): Promise<ProcessEntry[]> {
  return process.platform === "linux" ? listFromProc() : listFromPs();
}

async function listFromProc(): Promise<ProcessEntry[]> {
  const pids = (await readdir("/proc")).map(Number).filter((pid) => Number.isSafeInteger(pid));
  const entries = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null); // ended since it was listed
      if (stat === null) return null;
      // The command's name may hold spaces and parentheses; the fields begin after the last one.
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return state === "Z" ? null : { pid, parentPid: Number(parent), commandLine: "" };
    }),
  );
  return entries.filter((entry) => entry !== null);
}

const run = promisify(execFile);

async function listFromPs(): Promise<ProcessEntry[]> {
  const { stdout } = await run("/bin/ps", ["-A", "-ww", "-o", "pid=,ppid=,command="], {
    maxBuffer: 32 * 1024 * 1024,
  });
  return parseProcessList(stdout);
}

export function parseProcessList(text: string): ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line);
    if (match === null) continue;
    entries.push({ pid: Number(match[1]), parentPid: Number(match[2]), commandLine: match[3] ?? "" });
  }
  return entries;
}
