#!/usr/bin/env node
/**
 * Door 1: `codex-gpt-bridge`. Checks the Node version before anything is loaded that an old Node could not read,
 * then hands the process over to the command line. The only file besides door 2 that touches `process`.
 */
import module from "node:module";
import { isatty } from "node:tty";
import { compileCacheDirectory } from "./lib/compile-cache.ts";

const OLDEST_MAJOR = 22;
const OLDEST_MINOR = 18;
const TOGETHER_MS = 500;
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < OLDEST_MAJOR || (major === OLDEST_MAJOR && minor < OLDEST_MINOR)) {
  console.error(`codex-gpt-bridge needs Node 22.18 or newer; this is ${process.versions.node}.`);
  process.exit(2);
}
const compiled = compileCacheDirectory(process.env);
if (compiled !== null) module.enableCompileCache?.(compiled);

// Whoever reads our output may stop reading (`| head`), or be a terminal that was closed (EIO); that is no crash.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
  });
}

const { main } = await import("./cli/main.ts");
const running = main({
  argv: process.argv.slice(2),
  environment: process.env,
  cwd: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
  onSignal(listener) {
    // A terminal tells everybody, and npm passes on what it was told: of several that come together one is heard.
    let deafUntil = 0;
    const hear = (): void => {
      if (performance.now() < deafUntil) return;
      deafUntil = performance.now() + TOGETHER_MS;
      listener();
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, hear);
    // The terminal was closed. Not so under nohup, which takes the terminal away from stdin.
    if (isatty(0)) process.on("SIGHUP", hear);
  },
  exitNow(code) {
    process.exit(code);
  },
});
process.exitCode = await running.catch((error: unknown) => {
  // A disk that is full or a file that may not be read is no bug of ours: one line, no stack.
  if (!(error instanceof Error && "syscall" in error)) throw error;
  console.error(`codex-gpt-bridge: ${error.message}`);
  return 1;
});
