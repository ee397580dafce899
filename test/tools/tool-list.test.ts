import { describe, expect, test } from "vitest";
import { tools } from "../../src/tools/index.ts";
import { INSTRUCTIONS } from "../../src/tools/mcp-server.ts";
import { fingerprintOf, toWireTools } from "../../src/tools/tool-list.ts";
import { golden, inFull } from "../golden/golden.ts";

const wireTools = toWireTools(tools);

test("the list is what clients have read", () => {
  expect(inFull(wireTools)).toBe(golden("tools.json", wireTools));
});

test("the list stays under 8,000 tokens", () => {
  expect(Buffer.byteLength(JSON.stringify(wireTools)) / 3.5).toBeLessThan(8_000);
});

test("what ChatGPT reads of the instructions holds all of them but the last words", () => {
  expect(INSTRUCTIONS.slice(0, 512)).toContain("codex_job_status");
  expect(INSTRUCTIONS.slice(0, 512)).toContain("bridge_status");
});

test.each([
  { name: "bridge_status", readOnly: true, destructive: false, idempotent: true, openWorld: false },
  { name: "codex_read", readOnly: true, destructive: false, idempotent: false, openWorld: false },
  { name: "codex_run", readOnly: false, destructive: true, idempotent: false, openWorld: true },
  { name: "codex_reply", readOnly: false, destructive: true, idempotent: false, openWorld: true },
  { name: "codex_job_status", readOnly: true, destructive: false, idempotent: true, openWorld: false },
  { name: "codex_job_cancel", readOnly: false, destructive: false, idempotent: true, openWorld: false },
])("$name has truthful hints", ({ name, readOnly, destructive, idempotent, openWorld }) => {
  const tool = wireTools.find((one) => one.name === name);
  expect(tool?.annotations).toEqual({
    title: tool?.title,
    readOnlyHint: readOnly,
    destructiveHint: destructive,
    idempotentHint: idempotent,
    openWorldHint: openWorld,
  });
});

describe.each(wireTools.map((tool) => ({ name: tool.name, tool })))("$name", ({ tool }) => {
  test("has an answer that refusals fit too", () => {
    expect(tool.outputSchema).toEqual({
      type: "object",
      properties: expect.objectContaining({
        status: { type: "string", enum: expect.arrayContaining(["refused"]) },
        nextAction: { type: "string" },
      }),
      required: ["status", "nextAction"],
    });
  });

  test("takes no argument that it does not know", () => {
    expect(tool.inputSchema).toMatchObject({ type: "object", additionalProperties: false });
  });

  test("says what it is in plain words, without naming a setting", () => {
    expect(tool.title).toMatch(/^[A-Z]/);
    const words = JSON.stringify(tool);
    expect(words).not.toMatch(/CODEX_GPT_BRIDGE|--[a-z]|danger|\$ref|\$schema/);
    for (const schema of Object.values(tool.inputSchema.properties ?? {})) {
      expect(schema).toHaveProperty("description");
    }
  });
});

test("the fingerprint changes with every word of the list, and with nothing else", () => {
  const fingerprint = fingerprintOf(wireTools);
  expect(fingerprintOf(toWireTools(tools))).toBe(fingerprint);
  expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
  const changed = wireTools.map((tool, n) =>
    n === 0 ? { ...tool, description: `${tool.description}.` } : tool,
  );
  expect(fingerprintOf(changed)).not.toBe(fingerprint);
  expect(fingerprintOf(wireTools.toReversed())).not.toBe(fingerprint);
});
