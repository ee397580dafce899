#!/usr/bin/env node
/**
 * Door 2: `codex-chatgpt-mcp`. Checks the Node version before anything is loaded that an old Node could not read, keeps
 * stdout for the protocol alone, whoever writes to it, and hands the process over.
 */
import module from "node:module";
import { compileCacheDirectory } from "./lib/compile-cache.ts";

const OLDEST_MAJOR = 22;
const OLDEST_MINOR = 18;
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < OLDEST_MAJOR || (major === OLDEST_MAJOR && minor < OLDEST_MINOR)) {
  console.error(`codex-chatgpt-mcp needs Node 22.18 or newer; this is ${process.versions.node}.`);
  process.exit(2);
}
const compiled = compileCacheDirectory(process.env);
if (compiled !== null) module.enableCompileCache?.(compiled);

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}
// A library's console.log would be read as a broken message: all but the protocol goes to stderr.
const writeProtocol = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);

const { serveAskChatgpt } = await import("./cli/ask-chatgpt.ts");
const exitCode = await serveAskChatgpt({
  argv: process.argv.slice(2),
  environment: process.env,
  cwd: process.cwd(),
  stdin: process.stdin,
  writeProtocol: (text, done) => writeProtocol(text, done),
  stderr: process.stderr,
  onSignal(listener) {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, listener);
  },
});
// Whatever still holds a socket or a timer: a client that has gone leaves no process behind.
process.exit(exitCode);
