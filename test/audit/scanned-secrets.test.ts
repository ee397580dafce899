import { expect, test } from "vitest";
import { createRedactor } from "../../src/audit/redact.ts";
import { createScannedSecrets } from "../../src/audit/scanned-secrets.ts";

test("a value is struck out from the look that saw it on, however it is spelled, until a whole look misses it", () => {
  const scanned = createScannedSecrets();
  const { redact, count } = createRedactor({ scanned });
  const value = 'tr0ub4dor&3"xyz';
  const spellings = [value, JSON.stringify(value), encodeURIComponent(value), btoa(value)];
  for (const text of spellings) expect(redact(`is ${text}.`)).toBe(`is ${text}.`);
  scanned.replace("/srv/shop", [value], true);
  for (const text of spellings) expect(redact(`is ${text}.`)).toMatch(/^is "?\[redacted:value\]=*"?\.$/);
  expect(count()).toBe(4);
  scanned.replace("/srv/other", ["another-Value-42"], true);
  scanned.replace("/srv/shop", [], false); // a look that was not finished proves nothing
  expect(redact(`${value} another-Value-42`)).toBe("[redacted:value] [redacted:value]");
  scanned.replace("/srv/shop", [], true);
  expect(redact(`${value} another-Value-42`)).toBe(`${value} [redacted:value]`);
});

test("the same look again changes nothing", () => {
  const scanned = createScannedSecrets();
  scanned.replace("/srv/shop", ["value-number-1", "value-number-2"], true);
  const version = scanned.version();
  scanned.replace("/srv/shop", ["value-number-2", "value-number-1", "value-number-1"], true);
  expect(scanned.version()).toBe(version);
});

test("a project with more values than can be kept in view has some of them", () => {
  const scanned = createScannedSecrets();
  scanned.replace(
    "/srv/many",
    Array.from({ length: 10_000 }, (_, n) => `value-number-${n}`),
    true,
  );
  expect(scanned.values()).toHaveLength(500);
  scanned.replace("/srv/large", ["x".repeat(100_000)], true);
  expect(scanned.values()).toHaveLength(500);
});
