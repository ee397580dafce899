import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseChildRecord } from "../../src/lib/child-registry.ts";
import { parseJobRecord, parseThreadRecord } from "../../src/jobs/stored.ts";
import { jobRecord } from "../support/job-records.ts";

const page = readFileSync(new URL("../../docs/storage.md", import.meta.url), "utf8");
const examplesOf = (kind: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`json ${kind}\n([\\s\\S]*?)\`\`\``, "g"))].map(([, text = ""]) => text);

test("every job in docs/storage.md is a record as it is stored", async () => {
  const examples = examplesOf("job");
  expect(examples.length).toBeGreaterThan(1);
  for (const text of examples) expect(await parseJobRecord(text)).toEqual(JSON.parse(text));
});

test("every thread in docs/storage.md is a record as it is stored", async () => {
  const examples = examplesOf("thread");
  expect(examples).toHaveLength(1);
  for (const text of examples) expect(await parseThreadRecord(text)).toEqual(JSON.parse(text));
});

test("every Codex process in docs/storage.md is a record as it is stored", () => {
  const [text = ""] = examplesOf("child");
  expect(parseChildRecord(text)).toMatchObject({ pid: 4711 });
});

test("the event in docs/storage.md has the fields of an event", () => {
  expect(Object.keys(JSON.parse(examplesOf("event")[0] ?? "{}") as object)).toEqual([
    "id",
    "at",
    "type",
    "text",
  ]);
});

test.each<[string, object, string]>([
  ["a field that is missing", { jobId: undefined }, '"jobId"'],
  ["a version that is not known", { version: 2 }, '"version"'],
  ["a state that does not exist", { state: "lost" }, '"state"'],
  ["a field that nobody knows", { extra: 1 }, '"extra"'],
])("a record with %s is refused", async (_name, fields, named) => {
  await expect(parseJobRecord(JSON.stringify({ ...jobRecord("job"), ...fields }))).rejects.toThrow(named);
});
