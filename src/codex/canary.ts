/**
 * Proves on this machine that the confinement holds: a real Codex turn under a real profile, played by a model of our
 * own, tries to read a planted secret and a file outside, to write where it may not, and to reach the network.
 * Nothing is believed that was not tried, and a command that could not run at all proves nothing.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { say, shell } from "../demo/scripted-model/steps.ts";
import { startScriptedModel } from "../demo/scripted-model/scripted-model.ts";
import type { Grant, Sandbox } from "../policy/grant.ts";
import type { CodexBackend } from "./backend.ts";

export interface CanaryTerms {
  readonly root: string;
  readonly sandbox: Sandbox;
  /** Relative to the root; to be hidden. */
  readonly secretPaths: readonly string[];
}

export interface CanaryParts {
  readonly backend: CodexBackend;
  /** Below it the canary makes a directory of its own, and removes it. */
  readonly scratch: string;
  /** Grants come from the policy alone. */
  readonly grantFor: (terms: CanaryTerms) => Promise<Grant>;
}

export type CanaryVerdict =
  | { readonly state: "proven" }
  | { readonly state: "unproven"; readonly reason: string };

const PROMPT = "canary: try the fence";
const TURN_LIMIT_MS = 20_000;

export async function runCanary(parts: CanaryParts): Promise<CanaryVerdict> {
  await mkdir(parts.scratch, { recursive: true, mode: 0o700 });
  const cage = await mkdtemp(join(parts.scratch, "canary-"));
  const listener = await openListener();
  const model = await startScriptedModel();
  try {
    for (const sandbox of ["read-only", "workspace-write"] as const) {
      const trial = await plant(join(cage, sandbox), sandbox);
      model.script(PROMPT, [shell(commandOf(trial, listener.port)), say("tried")]);
      const outcome = await parts.backend.runTurn(
        {
          grant: await parts.grantFor({ root: trial.root, sandbox, secretPaths: [".env"] }),
          thread: { kind: "new" },
          prompt: PROMPT,
          outputSchema: null,
          projectInstructions: null,
          standInModelUrl: model.url,
        },
        () => {},
        AbortSignal.timeout(TURN_LIMIT_MS),
      );
      if (outcome.failure !== null) {
        return unproven(`the trial turn did not end well (${outcome.failure.code})`);
      }
      const hole = await judge(trial, model.toolOutputs(PROMPT).at(-1) ?? "", listener.wasReached());
      if (hole !== null) return unproven(`${hole} (${sandbox})`);
    }
    return { state: "proven" };
  } finally {
    await model.close();
    listener.close();
    await rm(cage, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

interface Trial {
  readonly sandbox: Sandbox;
  readonly root: string;
  readonly outside: string;
  readonly deniedFile: string;
  readonly deniedByPattern: string;
  /** Random words: what the command prints of them, it has read. */
  readonly open: string;
  readonly secret: string;
  readonly patternSecret: string;
  readonly foreign: string;
}

async function plant(directory: string, sandbox: Sandbox): Promise<Trial> {
  const root = join(directory, "project");
  const outside = join(directory, "outside");
  await mkdir(join(root, ".git"), { recursive: true });
  await mkdir(outside, { recursive: true });
  const word = (): string => randomBytes(12).toString("hex");
  const trial: Trial = {
    sandbox,
    root,
    outside,
    deniedFile: join(root, ".env"),
    deniedByPattern: join(root, "key.PEM"),
    open: word(),
    secret: word(),
    patternSecret: word(),
    foreign: word(),
  };
  await writeFile(join(root, "open.txt"), trial.open);
  await writeFile(trial.deniedFile, trial.secret);
  await writeFile(trial.deniedByPattern, trial.patternSecret);
  await writeFile(join(outside, "foreign.txt"), trial.foreign);
  return trial;
}

/** One command that goes on after every denial. Paths are quoted: the state directory may hold a space. */
function commandOf(trial: Trial, port: number): string {
  const { root, outside, deniedFile, deniedByPattern } = trial;
  return [
    `cat ${quoted(join(root, "open.txt"))}`,
    `cat ${quoted(deniedFile)}`,
    `cat ${quoted(deniedByPattern)}`,
    `cat ${quoted(join(outside, "foreign.txt"))}`,
    `echo x > ${quoted(join(root, "written.txt"))}`,
    `echo x > ${quoted(join(root, ".git/written.txt"))}`,
    `echo x > ${quoted(join(outside, "written.txt"))}`,
    `(exec 3<>/dev/tcp/127.0.0.1/${port} && echo x >&3)`,
    "true",
  ].join("; ");
}

/** What the fence let through, or null. */
async function judge(trial: Trial, output: string, wasReached: boolean): Promise<string | null> {
  const wrote = async (path: string): Promise<boolean> =>
    (await readFile(path, "utf8").catch(() => null)) !== null;
  const isWriteTrial = trial.sandbox === "workspace-write";
  if (!output.includes(trial.open)) return "commands do not run in Codex's sandbox on this machine";
  if (output.includes(trial.secret)) return "a denied file could be read";
  if (isWriteTrial && output.includes(trial.patternSecret)) return "a file denied by its name could be read";
  if (output.includes(trial.foreign)) return "a file outside the project could be read";
  if (await wrote(join(trial.outside, "written.txt"))) return "a file outside the project could be written";
  if (await wrote(join(trial.root, ".git/written.txt"))) return "the .git directory could be written";
  const wroteInside = await wrote(join(trial.root, "written.txt"));
  if (wroteInside && !isWriteTrial) return "a file could be written in read-only";
  if (!wroteInside && isWriteTrial) return "writing in the project does not work";
  return wasReached ? "the network could be reached" : null;
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", `'"'"'`)}'`;
}

function unproven(reason: string): CanaryVerdict {
  return { state: "unproven", reason };
}

/** A port on loopback that notes whether anybody came. */
async function openListener(): Promise<{ port: number; wasReached(): boolean; close(): void }> {
  let reached = false;
  const server = createServer((socket) => {
    reached = true;
    socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { port, wasReached: () => reached, close: () => server.close() };
}
