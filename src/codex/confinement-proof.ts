/**
 * Remembers whether the confinement was proven on this machine for this Codex: in memory for the calls, in a file for
 * the next start. Only a proof is remembered there; what could not be proven is tried again.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { dirname, join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { BackendFacts } from "./backend.ts";
import type { CanaryVerdict } from "./canary.ts";

export interface ConfinementProof {
  /** From memory. */
  verdict(): CanaryVerdict;
  /** There is a verdict, whatever it is. */
  isJudged(): boolean;
  /** The verdict for this Codex; proves it now if that was not done, or not lately without success. */
  ensure(facts: BackendFacts): Promise<CanaryVerdict>;
}

export interface OpenConfinementProof extends ConfinementProof {
  /** Waits for a trial that is on its way, which is no verdict any more; whoever made its Codex ends that. Begins none. */
  close(): Promise<void>;
}

export interface ProofParts {
  readonly run: () => Promise<CanaryVerdict>;
  readonly cacheFile: string;
  /** Directory of the user's Codex configuration; it may change how Codex confines. */
  readonly codexHome: string | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** Raised when the canary itself learns to try more. */
const CANARY_VERSION = 1;
const TRY_AGAIN_MS = 60_000;
const NOT_TRIED: CanaryVerdict = { state: "unproven", reason: "it was not tried yet" };
const SHUT_DOWN: CanaryVerdict = { state: "unproven", reason: "the bridge was shut down" };

export function createConfinementProof(parts: ProofParts): OpenConfinementProof {
  let verdict: CanaryVerdict = NOT_TRIED;
  let provenFor: BackendFacts | null = null;
  let triedAt = Number.NEGATIVE_INFINITY;
  let trying: Promise<CanaryVerdict | null> | null = null;
  let isClosed = false;

  /** null: the end of the bridge came first. */
  async function prove(facts: BackendFacts): Promise<CanaryVerdict | null> {
    const key = await keyOf(facts, parts.codexHome);
    const cached = await readCache(parts.cacheFile);
    if (isClosed) return null;
    if (cached === key) {
      parts.log.info({ codex: facts.codexVersion }, "confinement was proven before on this machine");
      return { state: "proven" };
    }
    const result = await parts.run().catch((error: unknown): CanaryVerdict => {
      if (!isClosed) parts.log.error({ error: String(error) }, "the confinement canary failed");
      return { state: "unproven", reason: "the trial itself failed" };
    });
    if (isClosed) return null;
    if (result.state === "proven") {
      parts.log.info({ codex: facts.codexVersion }, "confinement proven");
      await writeCache(parts.cacheFile, key, parts.log);
    } else parts.log.error({ reason: result.reason }, "confinement could not be proven");
    return result;
  }

  return {
    verdict: () => verdict,
    isJudged: () => provenFor !== null,
    async ensure(facts) {
      if (isClosed) return SHUT_DOWN;
      const sameCodex = provenFor?.codexVersion === facts.codexVersion && provenFor.kind === facts.kind;
      if (sameCodex && verdict.state === "proven") return verdict;
      if (sameCodex && trying === null && parts.clock.monotonic() - triedAt < TRY_AGAIN_MS) return verdict;
      trying ??= prove(facts).finally(() => {
        trying = null;
        triedAt = parts.clock.monotonic();
      });
      const tried = await trying;
      if (tried === null) return SHUT_DOWN;
      verdict = tried;
      provenFor = facts;
      return verdict;
    },
    async close() {
      isClosed = true;
      await trying?.catch(() => {}); // whoever asked for it has that error
    },
  };
}

async function keyOf(facts: BackendFacts, codexHome: string | null): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const machine = [
    CANARY_VERSION,
    facts.kind,
    facts.codexVersion,
    process.platform,
    process.arch,
    release(),
    uid,
  ];
  const configs = await Promise.all([
    codexHome === null ? "" : readFile(join(codexHome, "config.toml"), "utf8").catch(() => ""),
    readFile("/etc/codex/requirements.toml", "utf8").catch(() => ""),
  ]);
  return createHash("sha256")
    .update(JSON.stringify([...machine, ...configs]))
    .digest("hex");
}

async function readCache(path: string): Promise<string | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return typeof value === "object" && value !== null && "key" in value && typeof value.key === "string"
      ? value.key
      : null;
  } catch {
    return null; // never proven here, or not readable: proven again
  }
}

async function writeCache(path: string, key: string, log: Log): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, `${JSON.stringify({ version: 1, key })}\n`, { mode: 0o600 });
  } catch (error) {
    log.warn(
      { error: String(error) },
      "the proof of confinement could not be kept; it is made again at the next start",
    );
  }
}
