import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openFront, type Front } from "../auth/oauth/front.ts";
import { createAuthorization, openHouse, passcode, redeem, type House } from "../auth/oauth/sign-in-house.ts";

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const hasBrowser = existsSync(executablePath);
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Runs in the page: the least contrast of a text with what is behind it (WCAG 2.2, 1.4.3). */
const WORST_CONTRAST = `(() => {
  const numbers = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = numbers(colour).map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const background = (element) => {
    if (element === null) return "rgb(255, 255, 255)";
    const colour = getComputedStyle(element).backgroundColor;
    return numbers(colour)[3] === 0 ? background(element.parentElement) : colour;
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== "");
  const ratios = [...document.querySelectorAll("main *")].filter(hasText).map((element) => {
    const both = [luminance(getComputedStyle(element).color), luminance(background(element))];
    return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  });
  return Math.min(...ratios);
})()`;

let front: Front;
let house: House;
/** The client's own site: it sends people here, and they come back to it. */
let client: Server;
let clientUrl: string;
let visited: string[] = [];
let context: BrowserContext;
let profile: string;
let page: Page;

beforeAll(async () => {
  if (!hasBrowser) return;
  front = await openFront();
  client = createServer((request, response) => {
    visited.push(request.url ?? "");
    const target = new URL(request.url ?? "", "http://client").searchParams.get("to") ?? "";
    const body =
      request.url?.startsWith("/start") === true
        ? `<a id="go" href="${target.replaceAll("&", "&amp;")}">Connect</a>`
        : "back";
    response
      .writeHead(200, { "content-type": "text/html" })
      .end(`<!doctype html><title>client</title>${body}`);
  });
  await new Promise<void>((resolve) => {
    client.listen(0, "127.0.0.1", resolve);
  });
  clientUrl = `http://localhost:${(client.address() as AddressInfo).port}`;
  house = await openHouse({
    settings: { publicUrl: front.url, oauthClients: [`browser=${clientUrl}/callback`] },
  });
  front.leadTo(house.port);
  profile = await mkdtemp(join(tmpdir(), "oauth-browser-"));
  context = await chromium.launchPersistentContext(profile, {
    executablePath,
    args: FLAGS,
    viewport: { width: 800, height: 900 },
  });
}, 60_000);
afterAll(async () => {
  if (!hasBrowser) return;
  await context.close();
  await house.stop();
  front.close();
  client.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
});

const requests: string[] = [];
const complaints: string[] = [];
beforeEach(async () => {
  if (!hasBrowser) return;
  visited = [];
  await page?.close();
  page = await context.newPage();
  requests.length = 0;
  complaints.length = 0;
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
});

function authorization(changes: Record<string, string | null> = {}) {
  return createAuthorization({
    client_id: "browser",
    redirect_uri: `${clientUrl}/callback`,
    resource: `${front.url}/mcp`,
    ...changes,
  });
}

/** As people come: by a link on the client's own site, which is another site to the browser. */
async function come(changes: Record<string, string | null> = {}) {
  const made = authorization(changes);
  await page.goto(`${clientUrl}/start?to=${encodeURIComponent(`${front.url}${made.address}`)}`);
  await page.click("#go");
  await page.waitForURL(/\/oauth\/consent\//);
  return made;
}

describe.skipIf(!hasBrowser)("the consent page, in a browser", () => {
  it("says who asks for what, and has a heading, a language, labels and a hint for every field", async () => {
    await come();
    expect(await page.locator("html").getAttribute("lang")).toBe("en");
    expect(await page.locator("h1").count()).toBe(1);
    const text = await page.locator("main").innerText();
    expect(text).toContain("browser");
    expect(text).toContain(new URL(clientUrl).host);
    expect(text).toMatch(/read: .*projects/);
    expect(text).toMatch(/write: .*change files/);
    // By role and name: as a screen reader finds them.
    expect(await page.getByRole("main").count()).toBe(1);
    expect(await page.getByLabel("Passcode of this bridge").getAttribute("type")).toBe("password");
    expect(await page.getByRole("checkbox", { name: /change files/ }).isChecked()).toBe(true);
    expect(await page.getByRole("button", { name: "Let it in" }).count()).toBe(1);
    expect(await page.getByRole("button", { name: "Refuse" }).count()).toBe(1);
    const describedBy = await page.getByLabel("Passcode of this bridge").getAttribute("aria-describedby");
    for (const id of (describedBy ?? "").split(" ")) expect(await page.locator(`#${id}`).count()).toBe(1);
  });

  it("loads nothing else, and the browser has nothing to complain about", async () => {
    await come();
    const pages = requests.filter((url) => !url.startsWith(clientUrl) && !url.endsWith("/favicon.ico"));
    expect(pages).toHaveLength(2);
    expect(complaints.filter((text) => !text.includes("favicon"))).toEqual([]);
  });

  it("lets the client in with the passcode, sends it back, and works without a mouse", async () => {
    const made = await come();
    expect(await page.evaluate("document.activeElement.id")).toBe("passcode");
    await page.keyboard.type(passcode);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/callback\?/);
    const back = new URL(page.url());
    expect(back.searchParams.get("state")).toBe(made.state);
    const tokens = await redeem(front.port, made, back, {
      client_id: "browser",
      redirect_uri: `${clientUrl}/callback`,
      resource: `${front.url}/mcp`,
    });
    expect(JSON.parse(tokens.body)).toMatchObject({ scope: "read write" });
  });

  it("works without a script", async () => {
    const browser = context.browser();
    const plain = await (browser ?? (await chromium.launch({ executablePath, args: FLAGS }))).newContext({
      javaScriptEnabled: false,
    });
    try {
      const quiet = await plain.newPage();
      await quiet.goto(`${front.url}${authorization().address}`);
      await quiet.getByLabel("Passcode of this bridge").fill(passcode);
      await quiet.getByRole("checkbox").uncheck();
      await quiet.getByRole("button", { name: "Let it in" }).click();
      await quiet.waitForURL(/\/callback\?/);
      expect(new URL(quiet.url()).searchParams.get("code")).toMatch(/^[\w-]{43}$/);
    } finally {
      await plain.close();
    }
  });

  it("says what is wrong with a passcode, in words and for screen readers, and lets one try again", async () => {
    await come();
    await page.getByLabel("Passcode of this bridge").fill("not this one");
    await page.getByRole("button", { name: "Let it in" }).click();
    await page.getByRole("alert").waitFor();
    expect(await page.getByRole("alert").innerText()).toContain("not the passcode");
    expect(await page.getByLabel("Passcode of this bridge").getAttribute("aria-invalid")).toBe("true");
    expect(await page.getByLabel("Passcode of this bridge").inputValue()).toBe("");
    expect(page.url()).not.toContain("not");
    await page.getByLabel("Passcode of this bridge").fill(passcode);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/callback\?code=/);
  });

  it("refuses where the owner does", async () => {
    await come();
    await page.getByRole("button", { name: "Refuse" }).click();
    await page.waitForURL(/\/callback\?/);
    expect(new URL(page.url()).searchParams.get("error")).toBe("access_denied");
  });

  it("is not shown in a frame of another site", async () => {
    const made = authorization();
    await page.goto(`${clientUrl}/start`);
    await page.evaluate(
      `document.body.append(Object.assign(document.createElement("iframe"), { src: ${JSON.stringify(front.url + made.address)} }))`,
    );
    await page.locator("iframe").waitFor();
    await expect.poll(() => page.frames().length).toBe(2);
    const framed = page.frames().find((frame) => frame !== page.mainFrame());
    await framed?.waitForLoadState();
    expect(await framed?.locator("#passcode").count()).toBe(0);
  });

  it.each(["light", "dark"] as const)(
    "has enough contrast in %s, at 4.5 to 1 for every text",
    async (colorScheme) => {
      await page.emulateMedia({ colorScheme });
      await come();
      await page.getByLabel("Passcode of this bridge").fill("wrong");
      await page.getByRole("button", { name: "Let it in" }).click();
      // Where guessing has been slowed meanwhile, that is a text of its own.
      await page.getByRole("alert").waitFor();
      expect(await page.evaluate(WORST_CONTRAST)).toBeGreaterThanOrEqual(4.5);
      if (process.env["CONSENT_SCREENSHOTS"] !== undefined) {
        await page.screenshot({
          path: join(process.env["CONSENT_SCREENSHOTS"], `consent-${colorScheme}.png`),
          fullPage: true,
        });
      }
    },
  );

  it("needs no scrolling sideways on a telephone, or at twice the size", async () => {
    await page.setViewportSize({ width: 320, height: 640 });
    await come();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(320);
  });

  it("shows where the focus is", async () => {
    await come();
    await page.keyboard.press("Tab");
    const outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
    expect(outline).toBe("solid");
  });

  it("of a request that is wrong says so, in the same plain way", async () => {
    const answer = await page.goto(
      `${front.url}${authorization({ redirect_uri: "https://evil.example/" }).address}`,
    );
    expect(answer?.status()).toBe(400);
    expect(await page.locator("h1").innerText()).toBe("Signing in did not work");
    expect(complaints.filter((text) => /policy|refused to/i.test(text))).toEqual([]);
  });
});
