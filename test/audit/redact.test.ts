import { describe, expect, it } from "vitest";
import { createRedactor } from "../../src/audit/redact.ts";
import { FAKE_SECRETS } from "../support/secret-corpus.ts";

const redactor = createRedactor({
  secrets: ['the-bridge\'s own "token" 1', "short", "übergeheimes-wort"],
  roots: [
    { path: "/home/me/projects/app", name: "app" },
    { path: "/srv/data/", name: "data" },
  ],
  home: "/home/me",
});

/** The part of a fake secret that must not be seen: a piece from its middle. */
function heart(secret: string): string {
  const run = secret.match(/[A-Za-z0-9+/_=-]{12,}/g)?.toSorted((a, b) => b.length - a.length)[0] ?? secret;
  const middle = Math.floor(run.length / 2);
  return run.slice(middle - 4, middle + 4);
}

describe("redact", () => {
  it.each(Object.entries(FAKE_SECRETS))("hides the value of: %s", (_name, fake) => {
    for (const wrap of [
      (secret: string) => `before ${secret} after`,
      (secret: string) => JSON.stringify({ text: secret }),
    ]) {
      const secret = fake();
      const out = redactor.redact(wrap(secret));
      expect(out).toContain("[redacted:");
      expect(out).not.toContain(heart(secret));
    }
  });

  it("hides exact values as they are, in JSON, in a URL and in base64", () => {
    const value = 'the-bridge\'s own "token" 1';
    for (const spelling of [
      value,
      JSON.stringify(value),
      encodeURIComponent(value),
      Buffer.from(value).toString("base64"),
    ]) {
      expect(redactor.redact(`x ${spelling} y`)).toMatch(/^x "?\[redacted:value\](?:=*|")? y$/);
    }
    expect(redactor.redact("das übergeheimes-wort!")).toBe("das [redacted:value]!");
    expect(redactor.redact("too short")).toBe("too short");
  });

  it("hides a private key whose end is missing, as far as it goes", () => {
    const key = FAKE_SECRETS["RSA private key"]?.() ?? "";
    const cut = key.slice(0, 700);
    expect(redactor.redact(`a\n${cut}`)).toBe("a\n[redacted:private-key]");
    expect(redactor.redact(`${cut}\nThat was the key, said the model.`)).toMatch(
      /^\[redacted:private-key\]\n?That was/,
    );
  });

  it.each([
    ["/home/me/projects/app/src/a.ts:3", "app/src/a.ts:3"],
    ["cd /home/me/projects/app", "cd app"],
    ["file:///home/me/projects/app/x", "file://app/x"],
    ["in (/home/me/projects/app).", "in (app)."],
    ["/home/me/projects/app-2/x", "~/projects/app-2/x"],
    ["/home/me/projects/app.old/x", "~/projects/app.old/x"],
    ["/home/me/.bashrc", "~/.bashrc"],
    ["/home/me2/x", "/home/me2/x"],
    ["/mnt/home/me/x", "/mnt/home/me/x"],
    ["/srv/data/x /srv/database", "data/x /srv/database"],
    [String.raw`{"p":"\/home\/me\/projects\/app\/a"}`, String.raw`{"p":"app\/a"}`],
  ])("calls directories by their names: %s", (text, expected) => {
    expect(redactor.redact(text)).toBe(expected);
  });

  it.each([
    "9fceb02d0ae598e95dc970b74767f19372d61af8",
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    '{"threadId":"0198a2b4-7c1d-7a52-9e11-3f2504e04f89","jobId":"V1StGXR8_Z5jdHi6B-myT"}',
    "const token = await getToken(user); // the secret of api_key handling",
    "usage: {inputTokens: 1234, outputTokens: 56}",
    "export GITHUB_TOKEN=${GITHUB_TOKEN} and password: <your password>",
    "https://example.com/a@b and git@github.com:a/b.git and postgres://localhost/db",
    "task-runner risk-free sk-circle",
    "",
    "ok",
  ])("leaves alone: %s", (text) => {
    expect(redactor.redact(text)).toBe(text);
  });

  it("is at rest after one pass", () => {
    for (const fake of Object.values(FAKE_SECRETS)) {
      const once = redactor.redact(`a ${fake()} b /home/me/x`);
      expect(redactor.redact(once)).toBe(once);
    }
  });

  it("keeps what surrounds a secret", () => {
    const text = `curl -H 'Authorization: Bearer ${"a1B2".repeat(9)}' https://me:${"x9Y8".repeat(4)}@host.dev/x`;
    expect(redactor.redact(text)).toBe(
      "curl -H 'Authorization: Bearer [redacted:bearer]' https://me:[redacted:basic-auth-url]@host.dev/x",
    );
  });

  it("counts secrets, not directories", () => {
    const own = createRedactor({ home: "/home/me" });
    own.redact(`/home/me ${FAKE_SECRETS["npm token"]?.() ?? ""} ${FAKE_SECRETS["age key"]?.() ?? ""}`);
    expect(own.count()).toBe(2);
  });
});

describe("redactDeep", () => {
  it("goes through objects and arrays, keeps keys and everything that is no text", () => {
    const secret = FAKE_SECRETS["GitHub OAuth token"]?.() ?? "";
    const value = { a: [secret, 1, null, true], "/home/me": { text: `x ${secret}` }, n: 1.5 };
    expect(redactor.redactDeep(value)).toEqual({
      a: ["[redacted:github]", 1, null, true],
      "/home/me": { text: "x [redacted:github]" },
      n: 1.5,
    });
    expect(value.a[0]).toBe(secret);
  });

  it("believes a field's name", () => {
    const fields = {
      password: "correct-h0rse",
      clientSecret: "x9Y8z7W6",
      tokenType: "bearer-2",
      token: "a word",
      tokens: 12,
    };
    expect(redactor.redactDeep(fields)).toEqual({
      ...fields,
      password: "[redacted:assignment]",
      clientSecret: "[redacted:assignment]",
    });
  });

  it("comes back from a value nested without end", () => {
    let value: unknown = FAKE_SECRETS["npm token"]?.();
    for (let depth = 0; depth < 10_000; depth++) value = [value];
    expect(JSON.stringify(redactor.redactDeep(value))).toContain("[redacted:depth]");
  });
});

/** Plants secrets into noise, 10,000 times. */
function* fuzz(rounds: number): Generator<{ text: string; hearts: string[] }> {
  let state = 99;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const noise = [
    "password",
    "=",
    " ",
    "\n",
    '"',
    "://",
    "sk-",
    "eyJ",
    "-----BEGIN ",
    "日本",
    "\ud83d\ude00",
    "\0",
    "/home/me/x",
    "a".repeat(50),
    "Bearer ",
    "{",
    "\\n",
    "key: ",
  ];
  const fakes = Object.values(FAKE_SECRETS);
  for (let round = 0; round < rounds; round++) {
    let text = "";
    const hearts: string[] = [];
    for (let piece = random(12); piece >= 0; piece--) text += noise[random(noise.length)] ?? "";
    for (let planted = 1 + random(2); planted > 0; planted--) {
      const secret = fakes[random(fakes.length)]?.() ?? "";
      hearts.push(heart(secret));
      text += `\n${["", "x = '", "- ", '{"a":"'][random(4)] ?? ""}${secret}${["\n", "'\n", '"}\n', "\n\n"][random(4)] ?? ""}`;
      for (let piece = random(8); piece >= 0; piece--) text += noise[random(noise.length)] ?? "";
    }
    yield { text, hearts };
  }
}

describe("fuzzed text", () => {
  it("never lets a planted secret out", () => {
    const wrong: unknown[] = [];
    let checked = 0;
    for (const { text, hearts } of fuzz(10_000)) {
      const whole = redactor.redact(text);
      if (hearts.some((piece) => whole.includes(piece))) wrong.push({ text, whole });
      checked += hearts.length;
    }
    expect(wrong).toEqual([]);
    expect(checked).toBeGreaterThan(10_000);
  }, 120_000);

  it("never lets one out of a long text of them either", () => {
    const hearts: string[] = [];
    const texts: string[] = [];
    for (const { text, hearts: own } of fuzz(10_000)) {
      hearts.push(...own);
      texts.push(`${text}\n`);
    }
    const out = redactor.redact(texts.join(""));
    const left = new Set(Array.from({ length: out.length - 7 }, (_, at) => out.slice(at, at + 8)));
    expect(hearts.filter((piece) => left.has(piece))).toEqual([]);
  }, 120_000);
});
