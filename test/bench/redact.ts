/** Speed of the redactor, on ordinary text and on text made to hurt it. `node test/bench/redact.ts` */
import { createRedactor } from "../../src/audit/redact.ts";

const MIB = 2 ** 20;
const redactor = createRedactor({
  secrets: Array.from({ length: 20 }, (_, index) => `exact-value-number-${index}-${"q".repeat(20)}`),
  roots: [{ path: "/home/somebody/projects/app", name: "app" }],
  home: "/home/somebody",
});
const repeat = (text: string, length = MIB): string =>
  text.repeat(Math.ceil(length / text.length)).slice(0, length);
let seed = 7;
const random = (): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff) / 0x7fffffff;
const letters = (alphabet: string, length: number): string => {
  let text = "";
  for (let index = 0; index < length; index++) text += alphabet[Math.floor(random() * alphabet.length)] ?? "";
  return text;
};
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEADER = ["-----BEGIN RSA PRI", "VATE KEY-----\n"].join("");
const code = repeat(
  'import { readFile } from "node:fs/promises";\nexport async function load(path: string, token: AbortSignal) {\n' +
    "  const response = await fetch(`https://api.service.dev/v1/items/${path}`, { signal: token });\n  return response.json();\n}\n" +
    "// The password reset page sends a task-runner key to the user; see docs/secrets.md and 3f786850e387550fdab836ed7e6dc881de23001b.\n",
);
const cases: Readonly<Record<string, string>> = {
  "clean code": code,
  "code, a secret in every KiB": repeat(
    `${code.slice(0, 1000)}\nkey = ${["gh", "p_"].join("")}${"a1B2".repeat(9)}\n`,
  ),
  "paths in every line": repeat(
    "at run (/home/somebody/projects/app/src/index.ts:10:4) in /home/somebody/.cache\n",
  ),
  "5,000 unterminated PEM headers": repeat(HEADER, 5_000 * HEADER.length),
  "PEM headers with a letter each": repeat(`${HEADER}A`),
  "one PEM header, then base64": HEADER + letters(BASE64, MIB),
  base64: letters(BASE64, MIB),
  "base64 in lines": letters(BASE64, MIB).replaceAll(/.{64}/g, "$&\n"),
  "one letter": repeat("a"),
  eyJ: repeat("eyJ"),
  "eyJ.": repeat("eyJ."),
  "eyJaaaaaaaaaaaa.": repeat("eyJaaaaaaaaaaaa."),
  "sk-": repeat("sk-"),
  " sk-aaa": repeat(" sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-"),
  "://": repeat("://"),
  "://a:": repeat("://a:"),
  "://a:a": repeat(`://a:${"a".repeat(250)}`),
  "password=": repeat("password="),
  'password: "': repeat('password: "'),
  passwordpassword: repeat("password"),
  "API_TOKEN=": repeat("API_TOKEN=abcdefghijk1;"),
  spaces: repeat("password        "),
  quotes: repeat('"auth"        :        "'),
  basic: repeat("Basic AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
  telegram: repeat("12345678:AA"),
  digits: repeat("1234567890"),
  atlas: repeat("aaaaaaaaaaaaaa.atlasv1."),
  azure: repeat("abc8Q~"),
  slack: repeat("xoxb-a-"),
  PuTTY: repeat("PuTTY-User-Key-File-2:"),
  nulls: repeat("\0"),
  "wide letters": repeat("日本語のテキスト "),
};

function best(run: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 7; round++) {
    const started = performance.now();
    run();
    least = Math.min(least, performance.now() - started);
  }
  return least;
}

for (const [name, text] of Object.entries(cases)) {
  const whole = best(() => void redactor.redact(text));
  const rate = (ms: number): string => `${((text.length / MIB / ms) * 1000).toFixed(0).padStart(6)} MiB/s`;
  console.log(`${name.padEnd(34)} ${whole.toFixed(1).padStart(7)} ms ${rate(whole)}`);
}
