/**
 * `codex-gpt-bridge doctor`: every link of the chain from ChatGPT to Codex, with the one thing to do about the broken
 * one. Works beside a running bridge and without one; repairs nothing, and shows no secret.
 */
import { createRedactor } from "../audit/redact.ts";
import { runChecks, type CheckReport } from "../doctor/run-checks.ts";
import { systemClock } from "../lib/clock.ts";
import { ok } from "../lib/result.ts";
import { version } from "../lib/version.ts";
import { openCommandLine, toShown } from "./command-flags.ts";
import { createReportText, toSummary } from "./doctor-text.ts";
import { ownCommand } from "./own-command.ts";
import { createPaint } from "./paint.ts";
import { EXIT_FAILED, EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";
import { createWaitingLine } from "./waiting-line.ts";
import { loadConfigWithSecrets } from "./with-secrets.ts";
import { textWidth } from "./wrap.ts";

const HELP = `Usage: codex-gpt-bridge doctor [--json] [--bundle <file>] [flags]

Looks at every link of the chain, in order: Node, configuration, projects, state
directory, Codex and its login, the confinement, the port, and the running
bridge as ChatGPT connects to it. Says what is wrong and the one thing to do
about it. Give it the flags that the bridge itself gets.

  --json           the same for a script: one JSON object
  --bundle <file>  also write a text file for a bug report; no secret is in it,
                   but read it before you send it

Exit code: 0 when nothing failed (warnings are fine), 1 when something did.

Examples:
  codex-gpt-bridge doctor
  codex-gpt-bridge doctor --root /srv/app --port 9000
  codex-gpt-bridge doctor --json | jq '.checks[] | select(.status == "failed")'
  codex-gpt-bridge doctor --bundle report.txt
`;

const OPTIONS = { json: { type: "boolean" }, bundle: { type: "string" } } as const;
/** What Codex needs to stop comes on top: 20 s are promised. */
const DEADLINE_MS = 15_000;
/** A keychain that asks its user first is not waited for. */
const KEYCHAIN_MS = 3_000;

export async function run(terminal: Terminal, argv: readonly string[]): Promise<number> {
  const opened = openCommandLine(terminal, argv, OPTIONS, HELP);
  if (typeof opened === "number") return opened;
  const { flags, positionals } = opened;
  const { bundle: bundlePath, json: asJson = false } = flags;
  if (positionals.length > 0 || bundlePath === "") {
    terminal.stderr.write(HELP);
    return EXIT_USAGE;
  }
  const { stdout } = terminal;
  const [{ checks }, { openDoctorContext }, { doctorSecrets }] = await Promise.all([
    import("../doctor/checks.ts"),
    import("./doctor-context.ts"),
    import("./doctor-secrets.ts"),
  ]);
  const loaded = await loadConfigWithSecrets(terminal, flags, KEYCHAIN_MS);
  const config = loaded.ok ? ok(loaded.value.config) : loaded;
  const environment = loaded.ok ? loaded.value.environment : terminal.environment;
  const leftOut = loaded.ok ? loaded.value.leftOut.join(", ") : "";
  if (leftOut !== "")
    terminal.stderr.write(`Not used of PATH, in a project or not absolute: ${toShown(leftOut)}\n`);
  const secrets = doctorSecrets(config.ok ? config.value : null, environment);
  const { redactDeep } = createRedactor({ secrets });
  const waiting = createWaitingLine(stdout);
  const show = { width: textWidth(stdout), paint: createPaint(terminal, stdout) };
  const text = createReportText(show);
  const context = await openDoctorContext(environment, config, loaded.ok ? loaded.value.notes : []);
  let reports: CheckReport[];
  try {
    reports = await runChecks(checks, context, {
      clock: systemClock,
      deadlineMs: DEADLINE_MS,
      onWaiting: ({ title }) => {
        if (asJson !== true) waiting.show(title);
      },
      onReport: (report) => {
        waiting.clear();
        if (asJson !== true) stdout.write(text.add(redactDeep(toHere(report))));
      },
    });
  } finally {
    waiting.clear();
    stdout.write(text.rest());
    await context.close();
  }
  reports = redactDeep(reports.map(toHere));
  const isFine = reports.every(({ status }) => status !== "failed");
  if (asJson === true) {
    stdout.write(
      `${JSON.stringify({ version: 1, ok: isFine, bridge: version, checks: reports }, null, 2)}\n`,
    );
  } else stdout.write(toSummary(reports, show));
  const exitCode = isFine ? EXIT_FINE : EXIT_FAILED;
  if (typeof bundlePath !== "string") return exitCode;
  const { writeBundle } = await import("./doctor-bundle.ts");
  return (await writeBundle(terminal, bundlePath, { config, reports, secrets })) ? exitCode : EXIT_FAILED;
}

/** What to type is said as it is typed here. */
function toHere(report: CheckReport): CheckReport {
  const next = report.next?.replaceAll(/\bcodex-gpt-bridge (?=[a-z])/g, `${ownCommand()} `) ?? null;
  return { ...report, next };
}
