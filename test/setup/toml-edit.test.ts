import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { editToml, type ProjectEdit } from "../../src/setup/toml-edit.ts";

const FILE = `# my bridge
port = 8765 # the usual one
secrets = "refuse"
models = [
  "gpt-6-astra", # good
  "gpt-6-sol",
]
unknown_key = "stays"

# the shop
[[projects]]
name = "shop"
path = "/srv/shop" # do not move
write = true

[[projects]]
name = "blog"
path = "/srv/blog"

# at the end
`;

const shop = { name: "shop", path: "/srv/shop", write: true };
const blog = { name: "blog", path: "/srv/blog" };
const same = [
  { index: 0, table: shop },
  { index: 1, table: blog },
];

describe("changing a config file", () => {
  it("leaves a file alone that says what is wanted already", () => {
    expect(editToml(FILE, { values: { port: 8765 }, projects: same })).toEqual({
      text: FILE,
      keptComments: true,
    });
  });

  it("changes, adds and takes away keys, and keeps every comment and what it does not know", () => {
    const { text, keptComments } = editToml(FILE, {
      values: { port: 9000, secrets: null, keychain: true },
      projects: same,
    });
    expect(keptComments).toBe(true);
    expect(text).toBe(
      FILE.replace("8765", "9000")
        .replace('secrets = "refuse"\n', "")
        .replace('unknown_key = "stays"\n', 'unknown_key = "stays"\nkeychain = true\n'),
    );
  });

  it("changes a value of several lines as a whole", () => {
    const { text, keptComments } = editToml(FILE, { values: { models: ["other"] }, projects: same });
    expect(keptComments).toBe(true);
    expect(text).toContain('secrets = "refuse"\nmodels = [ "other" ]\nunknown_key');
  });

  it("changes one project, takes one away, adds one", () => {
    const { text, keptComments } = editToml(FILE, {
      values: {},
      projects: [
        { index: 0, table: { ...shop, write: null, secrets: "mask" } },
        { index: null, table: { name: "new", path: "/srv/new one", write: true } },
      ],
    });
    expect(keptComments).toBe(true);
    expect(text).toContain(
      '# the shop\n[[projects]]\nname = "shop"\npath = "/srv/shop" # do not move\nsecrets = "mask"\n',
    );
    expect(text).not.toContain("blog");
    expect(text).toContain("# at the end\n");
    expect(text).toMatch(/\n\n\[\[projects\]\]\nname = "new"\npath = "\/srv\/new one"\nwrite = true\n$/);
  });

  it("begins a file", () => {
    const { text } = editToml("", { values: { keychain: true }, projects: [{ index: null, table: shop }] });
    expect(text).toBe('keychain = true\n\n[[projects]]\nname = "shop"\npath = "/srv/shop"\nwrite = true\n');
  });

  it.each([
    ['# b\n[[projects]]\npath = "/a"\n', 'port = 1\n\n# b\n[[projects]]\npath = "/a"\n'],
    ['# top\n\n# b\n[[projects]]\npath = "/a"\n', '# top\nport = 1\n\n# b\n[[projects]]\npath = "/a"\n'],
    ['# top\n\n[[projects]]\npath = "/a"\n', '# top\nport = 1\n\n[[projects]]\npath = "/a"\n'],
  ])("does not come between a project and its comment: %j", (before, after) => {
    const projects = [{ index: 0, table: { path: "/a" } }];
    expect(editToml(before, { values: { port: 1 }, projects }).text).toBe(after);
  });

  it("puts keys below the comments at the top, and above the first table", () => {
    const { text } = editToml("# mine\n# all mine\n", { values: { port: 1 }, projects: [] });
    expect(text).toBe("# mine\n# all mine\nport = 1\n");
    expect(
      editToml('[[projects]]\npath = "/a"\n', {
        values: { port: 1 },
        projects: [{ index: 0, table: { path: "/a" } }],
      }).text,
    ).toBe('port = 1\n\n[[projects]]\npath = "/a"\n');
  });

  it.each<[string, string, { values: Record<string, unknown>; projects: ProjectEdit[] }]>([
    [
      "an inline array of tables",
      'projects = [{ path = "/a" }] # here\n',
      { values: { port: 1 }, projects: [{ index: 0, table: { path: "/b" } }] },
    ],
    ["a text that looks like a table", 'a = """\n[[projects]]\n"""\n', { values: { port: 1 }, projects: [] }],
    [
      "a text that looks like a key",
      'a = """\nport = 3\n"""\nport = 2\n',
      { values: { port: 1 }, projects: [] },
    ],
    ["a quoted key", '"port" = 2\n', { values: { port: 1 }, projects: [] }],
    ["a number sign in a text", 'token = "a#b" # c\n', { values: { token: "d#e" }, projects: [] }],
    [
      "another table after the projects",
      '[[projects]]\npath = "/a"\n[extra]\nx = 1\n',
      {
        values: { port: 1 },
        projects: [
          { index: 0, table: { path: "/a", write: true } },
          { index: null, table: { path: "/c" } },
        ],
      },
    ],
    ["Windows line ends", "port = 2\r\na = 1\r\n", { values: { port: 1 }, projects: [] }],
  ])("says what is wanted even with %s", (_name, before, edit) => {
    const { text } = editToml(before, edit);
    const values = JSON.parse(JSON.stringify(parse(text))) as Record<string, unknown>;
    expect(values).toMatchObject(edit.values);
    expect(values["projects"] ?? []).toEqual(edit.projects.map(({ table }) => table));
    const old = JSON.parse(JSON.stringify(parse(before))) as Record<string, unknown>;
    for (const [name, value] of Object.entries(old)) {
      if (name !== "projects" && !(name in edit.values)) expect(values[name]).toEqual(value);
    }
  });

  it("tells when comments could not be kept", () => {
    const { keptComments } = editToml('projects = [{ path = "/a" }] # here\n', {
      values: {},
      projects: [{ index: 0, table: { path: "/b" } }],
    });
    expect(keptComments).toBe(false);
  });

  it("throws for what is no TOML, so that nobody overwrites it", () => {
    expect(() => editToml("port = = 3\n", { values: {}, projects: [] })).toThrow(/Invalid TOML/);
  });
});
