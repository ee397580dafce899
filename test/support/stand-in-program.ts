/** A stand-in under a name and at a path of its own, as the program that it stands for would lie on PATH. */
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const sources = {
  "tunnel-client": new URL("stand-in-tunnel-client.ts", import.meta.url),
  cloudflared: new URL("stand-in-cloudflared.ts", import.meta.url),
};

/** `settings`: STAND_IN_* of this one; the environment that the bridge gives it is not touched. */
export async function placeStandIn(
  directory: string,
  name: keyof typeof sources,
  settings: Readonly<Record<string, string>> = {},
): Promise<string> {
  const path = join(directory, name);
  const source = fileURLToPath(sources[name]);
  const assignments = Object.entries(settings).map(([key, value]) => `export STAND_IN_${key}='${value}'`);
  const start = `exec '${process.execPath}' '${source}' "$@"`;
  await writeFile(path, ["#!/bin/sh", ...assignments, start, ""].join("\n"));
  await chmod(path, 0o755);
  return path;
}
