/**
 * The questions of `setup`, in the order in which a newcomer can answer them. What is known already is every question's
 * first answer. Writes nothing; asks the machine only through `Machine`.
 */
import type { SecretItemName } from "../keychain/secret-items.ts";
import type { Answers, ProjectAnswer, Reach, SecretsPolicy } from "./answers.ts";
import type { Asker, Check } from "./asker.ts";
import { askReach, checkKey } from "./ask-reach.ts";
import type { Existing, ExistingProject } from "./existing.ts";

export interface Machine {
  /** The directory without links, or why it cannot be a project. */
  judgeProject(path: string): { readonly path: string } | { readonly problem: string };
  /** Relative paths and kinds of what a look for secrets would block; `incomplete` says why it could not finish. */
  lookThrough(path: string): Promise<LookReport>;
  /** Whether a program of this name, or at this path, can be run. */
  hasProgram(name: string): Promise<boolean>;
}

export interface LookReport {
  readonly blocking: readonly { readonly path: string; readonly kind: string }[];
  readonly incomplete: string | null;
}

/** What is known before anybody is asked. */
export interface Beforehand {
  readonly existing: Existing;
  /** Projects that were named by flag or variable: `name=/path` or a path. */
  readonly roots: readonly string[];
  readonly write: boolean | null;
  readonly secrets: SecretsPolicy | null;
  readonly reach: Reach | null;
  readonly host: string | null;
  readonly cloudflaredTunnel: string | null;
  /** Secrets that the environment gives, and those that a store has. */
  readonly given: ReadonlyMap<SecretItemName, string>;
  readonly kept: ReadonlySet<SecretItemName>;
  /** False: nobody is there who could be asked again. */
  readonly isPerson: boolean;
}

export async function interview(ask: Asker, before: Beforehand, machine: Machine): Promise<Answers> {
  const projects = await askProjects(ask, before, machine);
  const secrets = await askSecrets(ask, before, projects, machine);
  const reached = await askReach(ask, before, machine);
  const keep = new Map(reached.keep);
  const openaiKey = await askOpenaiKey(ask, before);
  if (openaiKey !== null) keep.set("openaiApiKey", openaiKey);
  return { ...reached, projects, secrets, keep };
}

async function askProjects(ask: Asker, before: Beforehand, machine: Machine): Promise<ProjectAnswer[]> {
  const { existing, roots, isPerson } = before;
  ask.say(
    "Projects",
    "ChatGPT can let Codex work in these directories, and nowhere else.\nRead-only: Codex reads and answers. Write: it may also change files.",
  );
  const kept = await keepProjects(ask, existing.projects);
  const projects: ProjectAnswer[] = [];
  for (const project of kept) {
    projects.push({ ...project, write: await askWrite(ask, project.name, before.write ?? project.write) });
  }
  const wanted = roots
    .map(parseRoot)
    .filter(({ path }) => !projects.some((project) => project.path === path));
  for (;;) {
    const next = wanted.shift();
    const isEnough = next === undefined && projects.length > 0;
    if (isEnough && !(isPerson && (await ask.confirm({ message: "Another project?", first: false })))) break;
    const path = await ask.text({
      message: projects.length === 0 ? "Directory of the project:" : "Directory of the next project:",
      first: next?.path ?? "",
      hint: "/path/to/your/project",
      check: (answer) => checkProject(answer, projects, machine),
    });
    const judged = machine.judgeProject(path);
    const real = "path" in judged ? judged.path : path;
    const name = freeName(next?.name ?? real.split("/").at(-1) ?? "project", projects);
    projects.push({ index: null, name, path: real, write: await askWrite(ask, name, before.write ?? false) });
  }
  return projects;
}

/** Those of the config file that stay. */
async function keepProjects(
  ask: Asker,
  projects: readonly ExistingProject[],
): Promise<readonly ExistingProject[]> {
  if (projects.length === 0) return [];
  const kept = await ask.pick({
    message: "Which of your projects stay?",
    choices: projects.map(({ name, path }) => ({ value: name, label: name, hint: path })),
    first: projects.map(({ name }) => name),
  });
  return projects.filter(({ name }) => kept.includes(name));
}

async function askWrite(ask: Asker, name: string, first: boolean): Promise<boolean> {
  const answer = await ask.select({
    message: `What may Codex do in ${name}?`,
    choices: [
      { value: "read", label: "read only" },
      { value: "write", label: "read and write" },
    ],
    first: first ? "write" : "read",
  });
  return answer === "write";
}

function checkProject(
  answer: string,
  projects: readonly ProjectAnswer[],
  machine: Machine,
): string | undefined {
  if (answer === "") return "name a directory";
  const judged = machine.judgeProject(answer);
  if ("problem" in judged) return judged.problem;
  return projects.some(({ path }) => path === judged.path) ? "is a project already" : undefined;
}

function parseRoot(entry: string): { name: string | null; path: string } {
  const [, name, path] = /^([\w][\w.-]*)=(.+)$/s.exec(entry) ?? [];
  return name === undefined || path === undefined ? { name: null, path: entry } : { name, path };
}

/** A name that the bridge accepts and that no other project has. */
function freeName(wanted: string, projects: readonly ProjectAnswer[]): string {
  const plain =
    wanted
      .replaceAll(/[^\w.-]/g, "-")
      .replace(/^[.-]+/, "")
      .slice(0, 60) || "project";
  let name = plain;
  for (let count = 2; projects.some((project) => project.name === name); count++) name = `${plain}-${count}`;
  return name;
}

const POLICIES = [
  { value: "refuse", label: "refuse", hint: "Codex starts nothing while such files lie there" },
  { value: "mask", label: "mask", hint: "Codex starts, and the system hides those files from it" },
] as const;
const OFF = { value: "off", label: "off", hint: "do not look; ChatGPT may get to see them" } as const;

async function askSecrets(
  ask: Asker,
  before: Beforehand,
  projects: readonly ProjectAnswer[],
  machine: Machine,
): Promise<SecretsPolicy> {
  ask.say(
    "Secret files",
    "Keys, .env files and the like in a project could end up in a chat.\n" +
      "refuse: as long as there are any, nothing is started. The safest.\n" +
      "mask:   work goes on, with these files unreadable to Codex. Only on a\n" +
      "        machine where that was proven, which each start tries out.",
  );
  const first = before.secrets ?? before.existing.secrets ?? "refuse";
  const choices = first === "off" ? [...POLICIES, OFF] : POLICIES;
  const policy = await ask.select<SecretsPolicy>({ message: "What to do about them?", choices, first });
  if (!(await ask.confirm({ message: "Look through the projects for them now?", first: true })))
    return policy;
  const isBlocked = await lookThrough(ask, projects, machine);
  if (!isBlocked || policy !== "refuse") return policy;
  return ask.select<SecretsPolicy>({
    message: "With `refuse`, nothing would start there. What to do?",
    choices: [
      { value: "refuse", label: "refuse", hint: "move the files away, or: allow <path> --reason <why>" },
      { value: "mask", label: "mask", hint: "hide them from Codex" },
    ],
    first: "refuse",
  });
}

const SHOWN = 8;

/** Whether anything would block. */
async function lookThrough(
  ask: Asker,
  projects: readonly ProjectAnswer[],
  machine: Machine,
): Promise<boolean> {
  let isBlocked = false;
  for (const { name, path } of projects) {
    const report = await ask.work(
      `Looking through ${name}`,
      async () => machine.lookThrough(path),
      ({ blocking, incomplete }) =>
        incomplete === null ? `${name}: ${countOf(blocking.length)}` : `${name}: not looked through`,
    );
    if (report.incomplete !== null) ask.warn(`${name} could not be looked through: ${report.incomplete}`);
    if (report.blocking.length === 0) continue;
    isBlocked = true;
    const rows = report.blocking.slice(0, SHOWN).map((found) => `${found.path}  (${found.kind})`);
    const more = report.blocking.length - rows.length;
    ask.say(`Would block in ${name}`, [...rows, ...(more > 0 ? [`and ${more} more`] : [])].join("\n"));
  }
  return isBlocked;
}

function countOf(files: number): string {
  return files === 0 ? "no secret files" : `${files} secret ${files === 1 ? "file" : "files"}`;
}

const checkOptionalKey: Check = (answer) => (answer === "" ? undefined : checkKey(answer));

/** Only for `ask_chatgpt`, and only a person who wants it is asked. */
async function askOpenaiKey(ask: Asker, { given, kept, isPerson }: Beforehand): Promise<string | null> {
  const inEnvironment = given.get("openaiApiKey");
  if (kept.has("openaiApiKey") || !isPerson) return null;
  const wanted = await ask.confirm({
    message: "Keep an OpenAI API key, so that Codex can ask ChatGPT back?",
    first: false,
  });
  if (!wanted) return null;
  if (inEnvironment !== undefined) return inEnvironment;
  const key = await ask.secret({ message: "OpenAI API key:", check: checkOptionalKey });
  return key === "" ? null : key;
}
