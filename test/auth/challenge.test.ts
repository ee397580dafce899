import { expect, it } from "vitest";
import { createChallenges } from "../../src/auth/challenge.ts";

it("without OAuth says what is wrong, and names no place that is not there", () => {
  const { noCredential, wrongCredential, insufficientScope } = createChallenges(null);
  expect(noCredential).toBe('Bearer realm="codex-gpt-bridge"');
  expect(wrongCredential).toMatch(/^Bearer realm="codex-gpt-bridge", error="invalid_token"/);
  expect(insufficientScope("write")).toMatch(/error="insufficient_scope".*scope="read write"/);
  for (const challenge of [noCredential, wrongCredential, insufficientScope("read")]) {
    expect(challenge).not.toContain("resource_metadata");
  }
});

it("with OAuth every one leads to the metadata, and the scopes to ask for are named", () => {
  const where = "https://bridge.example/.well-known/oauth-protected-resource/mcp";
  const { noCredential, wrongCredential, insufficientScope } = createChallenges(where);
  for (const challenge of [noCredential, wrongCredential, insufficientScope("write")]) {
    expect(challenge).toContain(`resource_metadata="${where}"`);
    expect(challenge).toContain('scope="read write"');
  }
  expect(insufficientScope("read")).toContain('scope="read"');
});
