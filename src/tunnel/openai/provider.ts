/**
 * OpenAI's Secure MCP Tunnel, through the official `tunnel-client`: its own `init` makes the profile, its `doctor`
 * looks first, its `run` carries the calls. Never speaks to OpenAI itself, and puts no secret into an argument or file.
 */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ChildProgram } from "../../lib/child.ts";
import type { ChildRegistry } from "../../lib/child-registry.ts";
import type { Log } from "../../lib/log.ts";
import { fail, ok, type Result } from "../../lib/result.ts";
import { askProgram } from "../ask-program.ts";
import { findTrustedProgram, type IsInProject } from "../../lib/find-program.ts";
import type { HealthTiming, HealthUrls } from "../health-watch.ts";
import type { TunnelFailure, TunnelProvider } from "../provider.ts";
import { startTunnelProcess } from "../tunnel-process.ts";
import { toClientEnvironment, type ClientSecrets } from "./client-environment.ts";
import { judgeClientVersion, OLDEST_CLIENT } from "./client-version.ts";
import { readDoctorReport } from "./doctor-report.ts";

export interface OpenaiTunnelParts extends ClientSecrets {
  /** The `tunnel-client` command: a path, or a name that is looked up on PATH. */
  readonly command: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** This tunnel's own: the profile and the address of the health endpoint. */
  readonly directory: string;
  readonly isInProject: IsInProject;
  readonly children: ChildRegistry;
  readonly log: Log;
  readonly timing?: Partial<HealthTiming>;
}

const NAME = "tunnel-client";
const PROFILE = "codex-gpt-bridge";
/** `init` wants an id for the profile; the real one comes from the environment, which beats the profile. */
const NO_ID = `tunnel_${"0".repeat(32)}`;
const VERSION_WITHIN_MS = 15_000;
const INIT_WITHIN_MS = 30_000;
/** Its checks wait 2 s each for what does not answer. */
const DOCTOR_WITHIN_MS = 60_000;

export function createOpenaiTunnel(parts: OpenaiTunnelParts): TunnelProvider {
  const { directory, environment, children, log, timing = {} } = parts;
  const healthFile = join(directory, "health-url");
  let client = parts.command;
  /** Looked at again after each life in which it did not get ready. */
  let isSound = false;

  function program(...args: string[]): ChildProgram {
    return { command: client, args, env: toClientEnvironment(environment, parts, directory), cwd: directory };
  }

  async function init(url: string, signal: AbortSignal): Promise<Result<null, TunnelFailure>> {
    const server = ["--mcp-server-url", `${url}/mcp`, "--tunnel-id", NO_ID];
    const profile = [
      "--sample",
      "sample_mcp_remote_no_auth",
      "--profile",
      PROFILE,
      "--profile-dir",
      directory,
    ];
    const health = ["--health-listen-addr", "127.0.0.1:0"];
    const made = await askProgram(
      program("init", ...profile, ...server, ...health, "--force"),
      INIT_WITHIN_MS,
      signal,
    );
    if (!made.ok) return fail({ why: `${NAME} init ${made.failure}`, isFinal: false });
    const { exitCode, stdout, stderr } = made.value;
    if (exitCode === 0) return ok(null);
    const words = stderr.trim() === "" ? stdout.trim() : stderr.trim();
    return fail({ why: `${NAME} init makes no profile: ${words.slice(0, 300)}`, isFinal: true });
  }

  async function doctor(signal: AbortSignal): Promise<Result<null, TunnelFailure>> {
    const asked = await askProgram(
      program("doctor", "--profile", PROFILE, "--json"),
      DOCTOR_WITHIN_MS,
      signal,
    );
    if (!asked.ok) return fail({ why: `${NAME} doctor ${asked.failure}`, isFinal: false });
    const findings = readDoctorReport(asked.value.stdout);
    if (findings === null) {
      log.warn({ exitCode: asked.value.exitCode }, `${NAME} doctor gave no report; going on without it`);
      return ok(null);
    }
    for (const { check, summary, advice, weight } of findings) {
      const fields = { check, summary, advice };
      if (weight === "harmless") log.info(fields, `${NAME} doctor: nothing to do`);
      else log.warn(fields, `${NAME} doctor found something`);
    }
    const blocking = findings.filter(({ weight }) => weight === "blocks");
    if (blocking.length === 0) return ok(null);
    const why = blocking.map(({ check, summary }) => `${check}: ${summary}`).join("; ");
    return fail({ why: `${NAME} doctor says no: ${why}`, isFinal: true });
  }

  return {
    name: "openai",

    async check(signal) {
      const found = await findTrustedProgram(parts.command, environment["PATH"], parts.isInProject);
      if (!found.ok && found.failure === "in_project")
        return fail(`${parts.command} leads into a project, where it could be changed; install it elsewhere`);
      if (!found.ok) {
        return fail(
          `${parts.command} is not there; install OpenAI's tunnel-client (brew install openai/tools/tunnel-client, or a release from github.com/openai/tunnel-client), or name it with --tunnel-client`,
        );
      }
      client = found.value;
      const version = { ...program("--version"), cwd: "/" };
      const asked = await askProgram(version, VERSION_WITHIN_MS, signal);
      if (!asked.ok) return fail(`${parts.command} --version ${asked.failure}`);
      const { version: said, verdict } = judgeClientVersion(asked.value.stdout);
      if (verdict === "too-old") {
        return fail(
          `${NAME} ${said} is too old: before ${OLDEST_CLIENT} ChatGPT connects again and again; update it`,
        );
      }
      if (verdict === "unknown") return fail(`${parts.command} --version tells no version: is it ${NAME}?`);
      log.info(
        { version: said, ...(verdict === "development" ? { build: "development" } : {}) },
        `${NAME} found`,
      );
      return ok(null);
    },

    async open(url, hear, signal) {
      if (!isSound) {
        await mkdir(directory, { recursive: true, mode: 0o700 });
        const made = await init(url, signal);
        if (!made.ok) return made;
        const looked = await doctor(signal);
        if (!looked.ok) return looked;
      }
      await rm(healthFile, { force: true });
      const run = program("run", "--profile", PROFILE);
      isSound = false;
      return startTunnelProcess(
        {
          name: NAME,
          program: {
            ...run,
            env: { ...run.env, HEALTH_LISTEN_ADDR: "127.0.0.1:0", HEALTH_URL_FILE: healthFile },
          },
          children,
          log,
          timing,
          health: async () => readHealthUrl(healthFile),
          hear: (event) => {
            if (event.type === "ready") isSound = true;
            // "ready (...)" is a ready that has a catch: the client could not try the bridge.
            const isPlain = event.type === "ready" && event.says?.includes("(") !== true;
            hear(isPlain ? { type: "ready" } : event);
          },
        },
        signal,
      );
    },
  };
}

/** The client writes its base URL there once it listens. */
async function readHealthUrl(file: string): Promise<HealthUrls | null> {
  const text = await readFile(file, "utf8").catch(() => "");
  const base = /^http:\/\/(?:127\.0\.0\.1|localhost|\[::1\]):\d{1,5}/.exec(text.trim())?.[0];
  return base === undefined ? null : { live: `${base}/healthz`, ready: `${base}/readyz` };
}
