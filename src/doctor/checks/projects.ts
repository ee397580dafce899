/** Are the projects there, and does a secret file keep Codex from working in one of them? */
import type { Project } from "../../policy/decide.ts";
import { broken, doubtful, fine, skipped, type Check, type Finding } from "../check.ts";
import type { DoctorContext } from "../context.ts";

export const projects: Check = {
  name: "projects",
  title: "projects",

  async run(context, signal) {
    if (!context.config.ok) return skipped("the configuration has to be right first");
    const found = await context.projects();
    if (!found.ok) {
      const problems = found.failure.map(({ setting, problem }) => `${setting}: ${problem}`);
      return broken(problems.join("; "), "correct the paths with --root, --roots or [[projects]]");
    }
    for (const project of found.value) {
      const finding = await lookAt(project, context, signal);
      if (finding !== null) return finding;
    }
    return fine(found.value.map(({ name, secrets }) => `${name} (secrets: ${secrets})`).join(", "));
  },
};

async function lookAt(
  project: Project,
  { scan }: DoctorContext,
  signal: AbortSignal,
): Promise<Finding | null> {
  if (project.secrets === "off") return null;
  const verdict = await scan(project, signal);
  switch (verdict.kind) {
    case "clean":
      return null;
    case "incomplete":
      return doubtful(
        `${project.name} could not be looked through: ${verdict.reason}`,
        "the first look at a large project takes longest; run doctor again, or raise --scan-deadline-ms",
      );
    case "secrets": {
      if (project.secrets === "mask") return null;
      const [first = "", ...more] = verdict.paths;
      const others = more.length === 0 ? "" : ` and ${more.length} more`;
      return broken(
        `${project.name} holds what looks like secrets (${first}${others}), so Codex starts nothing there`,
        'move them out, set secrets = "mask", or: codex-gpt-bridge allow <path> --reason <text>',
      );
    }
  }
}
