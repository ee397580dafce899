import { expect, test } from "vitest";
import { createVisitorCheck } from "../../src/http/visitor.ts";

const request = (host: string, headers: Record<string, string> = {}): Request =>
  new Request("http://localhost/mcp", { headers: { host, ...headers } });

test("a host that the bridge has at the moment is served, and no longer once it is gone", () => {
  const hosts: string[] = [];
  const refusal = createVisitorCheck(["fixed.example.com"], () => hosts);
  expect(refusal(request("quick.example.com"), undefined)).toMatchObject({ code: "foreign_host" });
  hosts.push("quick.example.com");
  expect(refusal(request("quick.example.com"), undefined)).toBeNull();
  expect(refusal(request("quick.example.com:443"), undefined)).toBeNull();
  expect(refusal(request("evil.quick.example.com"), undefined)).toMatchObject({ code: "foreign_host" });
  expect(refusal(request("fixed.example.com"), undefined)).toBeNull();
  const origin = { origin: "https://quick.example.com" };
  expect(refusal(request("fixed.example.com", origin), undefined)).toBeNull();
  hosts.pop();
  expect(refusal(request("quick.example.com"), undefined)).toMatchObject({ code: "foreign_host" });
  expect(refusal(request("fixed.example.com", origin), undefined)).toMatchObject({ code: "foreign_origin" });
});
