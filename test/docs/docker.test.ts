/** No container engine runs here: image and compose file are compared with the code, and looked through for privileges. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { toEnvironmentName } from "../../src/config/names.ts";
import { readAll } from "../../src/config/setting.ts";
import { settingNames, settings } from "../../src/config/settings.ts";

const packageRoot = join(import.meta.dirname, "..", "..");
const read = async (name: string): Promise<string> => readFile(join(packageRoot, name), "utf8");
const dockerfile = await read("docs/docker/Dockerfile");
const compose = await read("docs/docker/compose.yaml");
const workflow = await read(".github/workflows/ci.yml");
const manifest = JSON.parse(await read("package.json")) as {
  files: string[];
  engines: { node: string };
  devDependencies: Record<string, string>;
};

test("every setting that they name is one", () => {
  const known = new Set(settingNames.map(toEnvironmentName));
  const named = `${dockerfile}\n${compose}`.match(/CODEX_GPT_BRIDGE_[A-Z_]+/g) ?? [];
  expect(named.length).toBeGreaterThan(3);
  for (const name of named) expect(known).toContain(name);
});

test("the port is the default one, and is published on loopback only", () => {
  const port = String(readAll(settings, {}).values.port);
  expect(dockerfile).toContain(`EXPOSE ${port}`);
  expect(compose.match(/^ +- "?[\d.]*:?\d+:\d+"?/gm)).toEqual([`      - "127.0.0.1:${port}:${port}"`]);
});

test("the Codex in it is the one that the tests drive", () => {
  expect(dockerfile).toContain(`ARG CODEX_VERSION=${manifest.devDependencies["@openai/codex"] ?? ""}\n`);
});

test("nothing is privileged, and the last user is an ordinary one", () => {
  for (const text of [dockerfile, compose]) {
    expect(text).not.toMatch(
      /privileged: *true|cap_add|SYS_ADMIN|docker\.sock|network_mode: *host|--no-auth|NO_AUTH/,
    );
  }
  expect(compose).toMatch(/cap_drop: \[ALL\]/);
  expect(compose).toContain("no-new-privileges:true");
  const users = [...dockerfile.matchAll(/^USER (\S+)/gm)].map(([, user]) => user);
  expect(users.at(-1)).toBe("node");
  expect(dockerfile).not.toMatch(/^(ENV|ARG) .*(TOKEN|SECRET|KEY)/m);
});

test("confinement is asked for, with everything that keeps Codex's sandbox from working out of its way", () => {
  expect(compose).toMatch(/CODEX_GPT_BRIDGE_CONFINEMENT: required/);
  for (const option of ["seccomp", "apparmor", "systempaths"])
    expect(compose).toContain(`- ${option}=unconfined`);
});

test("what the image copies is there, and everything that the package holds is copied", async () => {
  const ignored = await read("docs/docker/Dockerfile.dockerignore");
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = ""]) =>
    names.split(" "),
  );
  for (const name of copied) {
    expect(existsSync(join(packageRoot, name)), name).toBe(true);
    expect(ignored).toContain(`!${name}\n`);
  }
  const wanted = manifest.files.filter((name) => name !== "dist" && existsSync(join(packageRoot, name)));
  for (const name of wanted) expect(copied, name).toContain(name.split("/")[0]);
});

test("the workflow runs on every Node that package.json allows, and not on npm's", () => {
  const [oldest = 0] = manifest.engines.node.match(/\d+/g)?.map(Number) ?? [];
  expect(workflow).toContain(`node: [${oldest}, 24, 26]`);
  expect(workflow).toContain("node node_modules/vitest/vitest.mjs");
  expect(workflow).toMatch(/permissions:\n {2}contents: read\n/);
});
