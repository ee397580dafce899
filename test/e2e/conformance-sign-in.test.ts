import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { freePort } from "../auth/oauth/free-port.ts";
import { openFront, type Front } from "../auth/oauth/front.ts";
import { createBrowser, openHouse, signIn, type House } from "../auth/oauth/sign-in-house.ts";

const manifest = createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/package.json");
const suite = join(dirname(manifest), "dist", "index.js");

let house: House;
let front: Front;
afterEach(async () => {
  await house.stop();
  front.close();
});

describe("the public conformance suite for authorization servers", () => {
  it("is passed by the built-in one: its metadata, and an authorization code grant through the consent page", async () => {
    front = await openFront();
    const callbackPort = await freePort();
    const callback = `http://127.0.0.1:${callbackPort}/callback`;
    house = await openHouse({ settings: { publicUrl: front.url, oauthClients: [`suite=${callback}`] } });
    front.leadTo(house.port);
    const argv = [
      "authorization",
      "--url",
      front.url,
      "--client-id",
      "suite",
      "--resource",
      `${front.url}/mcp`,
      "-p",
      String(callbackPort),
    ];
    const child = spawn(process.execPath, [suite, ...argv], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const visits: Promise<unknown>[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => {
      output += `${line}\n`;
      if (line.startsWith(`${front.url}/oauth/authorize?`)) visits.push(goThrough(line));
    });
    const [exitCode] = await once(child, "close");
    await Promise.all(visits);
    expect(output).toContain("authorization-server-metadata-endpoint");
    expect(output).toContain("authorization-code-grant");
    expect({
      exitCode,
      visits: visits.length,
      output: /fail(?!ed: 0|ed, 0)/i.test(output) ? output : "",
    }).toMatchObject({
      exitCode: 0,
      visits: 1,
    });
    expect(output).not.toMatch(/WARNING|SKIPPED/);
  }, 60_000);
});

/** What the owner does in their browser, down to the page of the suite. */
async function goThrough(address: string): Promise<void> {
  const back = await signIn(
    front.port,
    { address, verifier: "", state: "" },
    { write: "yes" },
    createBrowser(front.port, front.url),
  );
  await fetch(back);
}
