import { expect, it } from "vitest";
import { plainIds } from "../../src/lib/plain-id.ts";

it("no id begins like a flag, and none comes twice", () => {
  const make = plainIds(16);
  const ids = Array.from({ length: 20_000 }, make);
  expect(ids.filter((id) => !/^[0-9A-Za-z]{16}$/.test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});
