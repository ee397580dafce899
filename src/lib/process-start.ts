/** Which process a pid stands for: pids are used again, a pid with its start is not. Never tells by name. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** When the process with this pid started, as its system says it; null: there is none, or it cannot be told. */
export async function processStart(pid: number): Promise<string | null> {
  try {
    return process.platform === "linux" ? await startOnLinux(pid) : await startElsewhere(pid);
  } catch {
    return null; // it has gone, or the system does not tell: then it is nobody we know
  }
}

async function startOnLinux(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The command name may hold spaces and parentheses; the fields begin after the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const ticks = fields[19];
  if (state === "Z" || state === "X" || ticks === undefined) return null;
  // Counted from the boot: the same number again after a restart is another process.
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
  return `${boot.trim()} ${ticks}`;
}

async function startElsewhere(pid: number): Promise<string | null> {
  const { stdout } = await run("ps", ["-o", "lstart=", "-p", String(pid)], { env: { LC_ALL: "C" } });
  return stdout.trim() === "" ? null : stdout.trim();
}
