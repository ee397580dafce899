import { describe, expect, it } from "vitest";
import type { Answers, Reach } from "../../src/setup/answers.ts";
import type { Asker } from "../../src/setup/asker.ts";
import { parseExisting } from "../../src/setup/existing.ts";
import { interview, type Beforehand, type Machine } from "../../src/setup/interview.ts";
import { lastWords } from "../../src/setup/last-words.ts";
import { planConfig } from "../../src/setup/plan.ts";
import { editToml } from "../../src/setup/toml-edit.ts";

const TUNNEL_ID = "tunnel_0123456789abcdef0123456789abcdef";
const KEY = "sk-planted-where-nobody-may-see-it";

/** A person who answers what is in `answers`, by the beginning of the question, and else agrees with what is offered. */
function createPerson(answers: Readonly<Record<string, string | boolean | readonly string[]>>) {
  const asked: string[] = [];
  const told: string[] = [];
  const left = new Map(Object.entries(answers));
  const take = (message: string): unknown => {
    asked.push(message);
    const key = [...left.keys()].find((start) => message.startsWith(start));
    if (key === undefined) return undefined;
    const value = left.get(key);
    left.delete(key);
    return value;
  };
  const typed = (message: string, first: string, check: (answer: string) => string | undefined): string => {
    const answer = (take(message) ?? first) as string;
    const problem = check(answer);
    if (problem !== undefined) throw new Error(`${message} ${answer}: ${problem}`);
    return answer;
  };
  const ask: Asker = {
    select: async ({ message, first, choices }) => {
      const answer = (take(message) ?? first) as typeof first;
      if (!choices.some(({ value }) => value === answer)) throw new Error(`${message} has no ${answer}`);
      return answer;
    },
    pick: async ({ message, first }) => (take(message) ?? first) as readonly string[],
    confirm: async ({ message, first }) => (take(message) ?? first) as boolean,
    text: async ({ message, first, check }) => typed(message, first, check),
    secret: async ({ message, check }) => typed(message, "", check),
    say: (title, text) => told.push(`${title}\n${text}`),
    warn: (text) => told.push(text),
    work: async (_message, task, done) => {
      const value = await task();
      told.push(done(value));
      return value;
    },
  };
  return { ask, asked, told, unused: () => [...left.keys()] };
}

const machine: Machine = {
  hasProgram: async (name) => name === "tunnel-client",
  judgeProject: (path) => (path.startsWith("/srv/") ? { path } : { problem: "is no directory" }),
  lookThrough: async (path) => ({
    blocking: path === "/srv/shop" ? [{ path: ".env", kind: "dotenv" }] : [],
    incomplete: path === "/srv/large" ? "more than 10000 findings" : null,
  }),
};

function known(text: string | null, more: Partial<Beforehand> = {}): Beforehand {
  const existing = parseExisting(text);
  if (!existing.ok) throw new Error(existing.failure);
  return {
    existing: existing.value,
    roots: [],
    write: null,
    secrets: null,
    reach: null,
    host: null,
    cloudflaredTunnel: null,
    given: new Map(),
    kept: new Set(),
    isPerson: true,
    ...more,
  };
}

/** The config file that comes of it. */
function toFile(answers: Answers, before: Beforehand): string {
  return editToml(before.existing.text ?? "", planConfig(answers, before.existing)).text;
}

const PROJECT = { "Directory of the project": "/srv/blog" };
const BLOG = '\n[[projects]]\nname = "blog"\npath = "/srv/blog"\n';

describe("the questions of setup", () => {
  it.each<[Reach, Parameters<typeof createPerson>[0], Record<string, string>, string]>([
    ["local", {}, {}, ""],
    [
      "openai",
      { "Tunnel id": TUNNEL_ID, "API key of the tunnel": KEY },
      { controlPlaneTunnelId: TUNNEL_ID, controlPlaneApiKey: KEY },
      'tunnel = "openai"\n',
    ],
    [
      "ngrok",
      { "ngrok authtoken": KEY, "Your ngrok domain": "Birds.ngrok.app" },
      { ngrokAuthtoken: KEY },
      'tunnel = "ngrok"\nngrok_domain = "birds.ngrok.app"\npublic_url = "https://birds.ngrok.app"\n',
    ],
    [
      "cloudflared",
      { "Host name": "birds.example.com", "Which tunnel": "token", "Token of the tunnel": KEY },
      { cloudflareTunnelToken: KEY },
      'tunnel = "cloudflared"\ncloudflared_hostname = "birds.example.com"\npublic_url = "https://birds.example.com"\n',
    ],
    [
      "cloudflared",
      { "Host name": "birds.example.com", "Which tunnel": "name", "Name of the tunnel": "birds" },
      {},
      'tunnel = "cloudflared"\ncloudflared_tunnel = "birds"\ncloudflared_hostname = "birds.example.com"\npublic_url = "https://birds.example.com"\n',
    ],
    ["quick", {}, {}, 'tunnel = "cloudflared"\n'],
  ])("ask for what %s needs; keys are kept, and stand nowhere else", async (reach, answers, keep, lines) => {
    const person = createPerson({ ...PROJECT, "How will ChatGPT": reach, ...answers });
    const before = known(null);
    const given = await interview(person.ask, before, machine);
    expect(person.unused()).toEqual([]);
    expect(Object.fromEntries(given.keep)).toEqual(keep);
    const text = toFile(given, before);
    expect(text).toBe(`keychain = true\nsecrets = "refuse"\n${lines}${BLOG}`);
    expect([...person.told, text].join("\n")).not.toContain(KEY);
  });

  it("warn when the tunnel's program is not there", async () => {
    for (const [reach, warning] of [
      ["openai", undefined],
      ["quick", "cloudflared is not on your PATH yet"],
    ] as const) {
      const person = createPerson({
        ...PROJECT,
        "How will": reach,
        "Tunnel id": TUNNEL_ID,
        "API key of": KEY,
      });
      await interview(person.ask, known(null), machine);
      expect(person.told.find((text) => text.includes("PATH yet"))?.slice(0, warning?.length)).toBe(warning);
    }
  });

  it("offer what is set already, and ask for no key that is kept", async () => {
    const file = `keychain = true\nsecrets = "mask"\ntunnel = "openai"\n\n[[projects]]\nname = "blog"\npath = "/srv/blog"\nwrite = true\n`;
    const person = createPerson({});
    const before = known(file, { kept: new Set(["controlPlaneApiKey", "controlPlaneTunnelId", "token"]) });
    const given = await interview(person.ask, before, machine);
    expect(given).toMatchObject({ reach: "openai", secrets: "mask", keep: new Map() });
    expect(given.projects).toEqual([{ index: 0, name: "blog", path: "/srv/blog", write: true }]);
    expect(toFile(given, before)).toBe(file);
    expect(person.asked.filter((message) => message.includes("Leave it?"))).toHaveLength(2);
  });

  it("replace a kept key when the person says so, and an id that stands in the file", async () => {
    const file = `tunnel = "openai"\ntunnel_id = "${TUNNEL_ID}"\n\n[[projects]]\npath = "/srv/blog"\n`;
    const other = `tunnel_${"z".repeat(32)}`;
    const person = createPerson({
      "The tunnel's id is kept": false,
      "Tunnel id": other,
      "API key of the tunnel is kept": false,
      "API key of the tunnel:": KEY,
    });
    const before = known(file, { kept: new Set(["controlPlaneApiKey"]) });
    const given = await interview(person.ask, before, machine);
    expect(person.unused()).toEqual([]);
    expect(given.keep).toEqual(
      new Map([
        ["controlPlaneTunnelId", other],
        ["controlPlaneApiKey", KEY],
      ]),
    );
    expect(toFile(given, before)).not.toContain("tunnel_id");
  });

  it("take a key from the environment without asking for it", async () => {
    const person = createPerson({ ...PROJECT, "How will ChatGPT": "openai" });
    const given = new Map([
      ["controlPlaneApiKey", KEY],
      ["controlPlaneTunnelId", TUNNEL_ID],
    ] as const);
    const answers = await interview(person.ask, known(null, { given }), machine);
    expect(answers.keep).toEqual(given);
    expect(person.asked.some((message) => message.startsWith("API key"))).toBe(false);
  });

  it("show what a look for secrets would block, and offer to hide it", async () => {
    const person = createPerson({
      "Directory of the project": "/srv/shop",
      "How will": "local",
      "With `refuse`": "mask",
    });
    expect((await interview(person.ask, known(null), machine)).secrets).toBe("mask");
    expect(person.told.join("\n")).toContain(".env  (dotenv)");
  });

  it("warn of a project that could not be looked through", async () => {
    const person = createPerson({ "Directory of the project": "/srv/large", "How will": "local" });
    await interview(person.ask, known(null), machine);
    expect(person.told.join("\n")).toContain("large could not be looked through: more than 10000 findings");
  });

  it("let a person drop a project and add others, and name them apart", async () => {
    const file =
      '[[projects]]\nname = "a"\npath = "/srv/a"\n\n# b\n[[projects]]\nname = "b"\npath = "/srv/b"\nmodel = "m"\n';
    const person = createPerson({
      "Which of your projects": ["b"],
      "What may Codex do in b": "write",
      "Another project": true,
      "Directory of the next": "/srv/x/b",
      "How will": "local",
    });
    const before = known(file);
    expect(toFile(await interview(person.ask, before, machine), before)).toBe(
      'keychain = true\nsecrets = "refuse"\n\n# b\n[[projects]]\nname = "b"\npath = "/srv/b"\nmodel = "m"\nwrite = true\n\n[[projects]]\nname = "b-2"\npath = "/srv/x/b"\n',
    );
  });

  it("take writing back, also where all projects may write", async () => {
    const file = 'allow_write = true\n\n[[projects]]\nname = "a"\npath = "/srv/a"\n';
    const person = createPerson({ "What may Codex do in a": "read", "How will": "local" });
    const before = known(file);
    expect(toFile(await interview(person.ask, before, machine), before)).toContain(
      'path = "/srv/a"\nwrite = false\n',
    );
  });

  it("let a tunnel go when it is not wanted any more", async () => {
    const file = `tunnel = "ngrok"\nngrok_domain = "a.ngrok.app"\npublic_url = "https://a.ngrok.app"\nno_auth = true\n${BLOG}`;
    const before = known(file);
    const person = createPerson({ "How will": "local" });
    expect(toFile(await interview(person.ask, before, machine), before)).toBe(
      `no_auth = true\nkeychain = true\nsecrets = "refuse"\n${BLOG}`,
    );
  });
});

describe("the last words of setup", () => {
  const answers: Answers = {
    projects: [{ index: null, name: "blog", path: "/srv/blog", write: false }],
    secrets: "refuse",
    reach: "local",
    host: null,
    cloudflaredTunnel: null,
    keep: new Map(),
  };
  const situation = {
    command: "codex-gpt-bridge",
    flags: "",
    port: 8765,
    isService: false,
    canBeService: false,
    missing: null,
    showToken: "look there",
  };
  const wordsOf = (reach: Reach, host: string | null = null): string =>
    lastWords({ ...answers, reach, host }, situation)
      .map(({ title, text }) => `${title}\n${text}`)
      .join("\n");

  it.each<[Reach, string[]]>([
    ["openai", ["Add custom MCP server", "Connection: Tunnel", "No authentication"]],
    ["ngrok", ["https://birds.example.com/mcp", "OAuth", "sign-in passcode"]],
    ["cloudflared", ["https://birds.example.com/mcp", "OAuth", "sign-in passcode"]],
    ["quick", ["the address in the bridge's log"]],
    ["local", ["http://127.0.0.1:8765/mcp", "look there", "setup, again"]],
  ])("say for %s how to start, what to click and what to say first, in 80 columns", (reach, parts) => {
    const words = wordsOf(reach, "birds.example.com");
    for (const part of [...parts, "codex-gpt-bridge serve", "bridge_status", "codex_read"])
      expect(words).toContain(part);
    expect(Math.max(...words.split("\n").map((line) => line.length))).toBeLessThanOrEqual(76);
  });

  it("begin with what is still missing, and offer a service only where one could run", () => {
    const missing = "Codex has no account yet. Run: codex login";
    const [first, start] = lastWords(answers, { ...situation, missing, canBeService: true });
    expect([first?.text, start?.text]).toEqual([missing, expect.stringContaining("service install")]);
    expect(wordsOf("local")).not.toMatch(/service install|First/);
  });
});
