/** Shows what the system kept of the service's log, until it ends or the owner has seen enough. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { findProgram } from "../lib/find-program.ts";
import { toToolEnvironment } from "./service-manager.ts";
import { EXIT_FAILED, EXIT_FINE, type Terminal } from "./terminal.ts";

export async function showLogs(terminal: Terminal, [name = "", ...args]: readonly string[]): Promise<number> {
  const command = await findProgram(name, terminal.environment["PATH"]);
  if (command === null) {
    terminal.stderr.write(`codex-gpt-bridge service: ${name} is not there\n`);
    return EXIT_FAILED;
  }
  const child = spawn(command, args, {
    env: toToolEnvironment(terminal.environment),
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.setEncoding("utf8").on("data", (text: string) => terminal.stdout.write(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => terminal.stderr.write(text));
  let isEnough = false;
  terminal.onSignal(() => {
    isEnough = true;
    child.kill("SIGTERM");
  });
  const [exitCode] = (await once(child, "close")) as [number | null];
  return exitCode === 0 || isEnough ? EXIT_FINE : EXIT_FAILED;
}
