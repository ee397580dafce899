import { describe, expect, test } from "vitest";
import { toThreadConfinement, type CodexSurroundings } from "../../src/codex/confinement.ts";
import type { GrantTerms } from "../../src/policy/grant.ts";
import { terms as sample } from "../jobs/start-runner.ts";
import { grantForTest } from "../support/grant.ts";

const root = { path: "/srv/app", device: "1", inode: "2" };
const surroundings: CodexSurroundings = { programDirectories: ["/opt/codex/bin"], userMcpServers: [] };
const reading: GrantTerms = { ...sample, root, cwd: root };
const writing: GrantTerms = { ...reading, sandbox: "workspace-write" };

interface Profile {
  filesystem: Record<string, string>;
  network: { enabled: boolean };
}

function confine(terms: GrantTerms, around = surroundings) {
  const { profileId, config } = toThreadConfinement(grantForTest(terms), around);
  return { profileId, config, profile: config[`permissions.${profileId}`] as unknown as Profile };
}

test("a reading thread sees the project and Codex's own programs, and nothing else", () => {
  const { profile, config, profileId } = confine(reading);
  expect(profile.filesystem).toEqual({
    ":minimal": "read",
    "/etc/shadow": "deny",
    "/etc/shadow-": "deny",
    "/etc/gshadow": "deny",
    "/etc/gshadow-": "deny",
    "/opt/codex/bin": "read",
    "/srv/app": "read",
  });
  expect(config["default_permissions"]).toBe(profileId);
});

test("a writing thread writes the project, but nothing that steers Codex or git", () => {
  const { profile } = confine(writing);
  expect(profile.filesystem).toMatchObject({
    "/srv/app": "write",
    "/srv/app/.git": "read",
    "/srv/app/.codex": "read",
    "/srv/app/.agents": "read",
  });
  expect(Object.values(profile.filesystem).filter((access) => access === "write")).toHaveLength(1);
});

describe("what is denied wins", () => {
  test.each([
    { path: "/srv/app/.env" },
    { path: "/srv/app" },
    { path: "/srv/app/.git" },
    { path: "/opt/codex/bin" },
  ])("over what else would be said of $path", ({ path }) => {
    expect(confine({ ...writing, deniedPaths: [path] }).profile.filesystem[path]).toBe("deny");
    expect(confine({ ...writing, deniedPatterns: [path] }).profile.filesystem[path]).toBe("deny");
  });
});

describe("the name of the profile", () => {
  const { profileId } = confine(reading);

  test("is the same for the same content", () => {
    expect(confine({ ...reading, project: "other", model: "m", effort: "high" }).profileId).toBe(profileId);
    expect(profileId).toMatch(/^bridge-[0-9a-f]{16}$/);
  });

  test.each<{ name: string; terms: GrantTerms; around?: CodexSurroundings }>([
    { name: "the sandbox", terms: writing },
    { name: "the root", terms: { ...reading, root: { ...root, path: "/srv/other" } } },
    { name: "the network", terms: { ...reading, network: true } },
    { name: "a denied path", terms: { ...reading, deniedPaths: ["/srv/app/.env"] } },
    { name: "a denied pattern", terms: { ...reading, deniedPatterns: ["/srv/app/**/.env"] } },
    {
      name: "Codex's own place",
      terms: reading,
      around: { ...surroundings, programDirectories: ["/usr/bin"] },
    },
  ])("changes with $name", ({ terms, around }) => {
    expect(confine(terms, around).profileId).not.toBe(profileId);
  });
});

describe("the configuration of a thread", () => {
  test.each([
    { name: "reading", terms: reading },
    { name: "writing", terms: { ...writing, network: true } },
  ])("of one that is $name never holds a legacy sandbox, which Codex would let win", ({ terms }) => {
    const { config } = confine(terms);
    for (const key of Object.keys(config)) expect(key).not.toMatch(/^sandbox/);
    expect(JSON.stringify(config)).not.toContain("danger");
  });

  test("trusts neither the root nor the working directory", () => {
    const cwd = { path: "/srv/app/packages/a", device: "1", inode: "3" };
    expect(confine({ ...reading, cwd }).config["projects"]).toEqual({
      "/": { trust_level: "untrusted" },
      "/srv": { trust_level: "untrusted" },
      "/srv/app": { trust_level: "untrusted" },
      "/srv/app/packages": { trust_level: "untrusted" },
      "/srv/app/packages/a": { trust_level: "untrusted" },
    });
  });

  test("hands the model's commands no key and no search of the web", () => {
    const { config } = confine(reading);
    expect(config["shell_environment_policy.inherit"]).toBe("core");
    expect(config["web_search"]).toBe("disabled");
  });

  test.each([
    { network: false, enabled: false },
    { network: true, enabled: true },
  ])("gives the network only where the owner does: $network", ({ network, enabled }) => {
    expect(confine({ ...reading, network }).profile.network).toEqual({ enabled });
  });

  test("disables all MCP servers of the user but those that were granted, whatever they are called", () => {
    const userMcpServers = ["docs", "mail", "a.b", 'with"quote'];
    const { config } = confine({ ...reading, mcpServers: ["docs"] }, { ...surroundings, userMcpServers });
    expect(config["mcp_servers"]).toEqual({
      mail: { enabled: false },
      "a.b": { enabled: false },
      'with"quote': { enabled: false },
    });
    expect(Object.keys(confine(reading).config)).not.toContain("mcp_servers");
  });
});
