import { afterEach, describe, expect, it } from "vitest";
import { consentPage } from "../../../src/auth/oauth/consent-page.ts";
import {
  ask,
  chatgptDocument,
  chatgptRedirect,
  createAuthorization,
  createBrowser,
  openHouse,
  type House,
} from "./sign-in-house.ts";

let house: House | null = null;
afterEach(async () => {
  await house?.stop();
  house = null;
});

describe("a client's document", () => {
  const evil = "https://evil.example/callback";

  it.each([
    ["as usual", (text: string) => text],
    ["with its names spelled in escapes", (text: string) => text.replace('"client_id"', '"client\\u005fid"')],
  ])("that leads to a host which is not allowed is not taken, %s", async (_name, spell) => {
    const text = spell(JSON.stringify({ ...chatgptDocument, redirect_uris: [evil] }));
    house = await openHouse({ fetchDocument: async () => ({ text, headers: {} }) });
    const { address } = createAuthorization({ redirect_uri: evil });
    const answer = await createBrowser(house.port).get(address);
    expect(answer.status).toBe(400);
    expect(answer.headers.location).toBeUndefined();
  });
});

it("a client that registers with an endless name is shown with a short one", async () => {
  house = await openHouse({ settings: { oauthRegistration: true } });
  const registered = await ask(house.port, "/oauth/register", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_name: "x".repeat(5_000), redirect_uris: [chatgptRedirect] }),
  });
  const { client_id: clientId } = JSON.parse(registered.body) as { client_id: string };
  const browser = createBrowser(house.port);
  const first = await browser.get(createAuthorization({ client_id: clientId }).address);
  const page = await browser.get(String(first.headers.location));
  expect(page.status).toBe(200);
  expect(page.body).toContain("x".repeat(200));
  expect(page.body).not.toContain("x".repeat(201));
});

it("a client's name stands by itself on the page, whatever letters it has", () => {
  const page = consentPage({
    name: "\u202Emoc.live\u202C <b>",
    identity: "chatgpt.com",
    returnsTo: "chatgpt.com",
    asksToWrite: true,
    action: "/oauth/consent/x",
    problem: null,
    madePasscode: false,
  });
  const body = page.slice(page.indexOf("<body>"));
  expect(body).not.toMatch(/(?<!<q dir="auto">)\u202E/);
  expect(body).not.toContain("<b>");
});
