import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it } from "vitest";
import { endSignIns, listSignIns } from "../../../src/auth/oauth/grants.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import {
  ask,
  callMcp,
  chatgptClient,
  createAuthorization,
  createBrowser,
  obtainTokens,
  openHouse,
  passcode,
  plainClient,
  plainRedirect,
  postForm,
  publicUrl,
  redeem,
  refresh,
  signIn,
  type House,
  type Tokens,
} from "./sign-in-house.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

async function house(options: Parameters<typeof openHouse>[0] = {}): Promise<House> {
  const opened = await openHouse(options);
  cleanups.push(async () => opened.stop());
  return opened;
}

async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "oauth-"));
  cleanups.push(async () => rm(made, { recursive: true, force: true }));
  return made;
}

const parse = (body: string): Tokens => JSON.parse(body);

describe("a refresh token", () => {
  it("that is used twice ends the whole family: its successors and its access tokens", async () => {
    const { port, logLines } = await house();
    const first = await obtainTokens(port);
    const second = parse((await refresh(port, first.refresh_token)).body);
    const third = parse((await refresh(port, second.refresh_token)).body);
    expect((await callMcp(port, third.access_token)).status).toBe(200);

    // The thief comes with what they have stolen earlier.
    const stolen = await refresh(port, first.refresh_token);
    expect(stolen.status).toBe(400);
    expect(JSON.parse(stolen.body)).toMatchObject({ error: "invalid_grant" });
    for (const { refresh_token: token } of [first, second, third]) {
      expect((await refresh(port, token)).status).toBe(400);
    }
    for (const { access_token: token } of [first, second, third]) {
      expect((await callMcp(port, token)).status).toBe(401);
    }
    expect(logLines.some(({ message }) => message.includes("used twice"))).toBe(true);
  });

  it("does so too when the thief is first", async () => {
    const { port } = await house();
    const owner = await obtainTokens(port);
    const thief = parse((await refresh(port, owner.refresh_token)).body);
    expect((await refresh(port, owner.refresh_token)).status).toBe(400);
    expect((await refresh(port, thief.refresh_token)).status).toBe(400);
    expect((await callMcp(port, thief.access_token)).status).toBe(401);
  });

  it("leaves other sign-ins alone", async () => {
    const { port } = await house();
    const [stolen, other] = [await obtainTokens(port), await obtainTokens(port)];
    await refresh(port, stolen.refresh_token);
    await refresh(port, stolen.refresh_token);
    expect((await callMcp(port, other.access_token)).status).toBe(200);
    expect((await refresh(port, other.refresh_token)).status).toBe(200);
  });

  it("used ten times at the same moment serves at most once, and ends the family", async () => {
    const { port } = await house();
    const first = await obtainTokens(port);
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => refresh(port, first.refresh_token)),
    );
    const served = answers.filter(({ status }) => status === 200).map(({ body }) => parse(body));
    expect(served.length).toBeLessThanOrEqual(1);
    for (const { refresh_token: token } of [first, ...served])
      expect((await refresh(port, token)).status).toBe(400);
  });

  it("is of no use to another client, nor for more than was granted", async () => {
    const { port } = await house();
    const tokens = await obtainTokens(port, { scope: "read" });
    expect((await refresh(port, tokens.refresh_token, { client_id: "plain" })).status).toBe(400);
    const more = await refresh(port, tokens.refresh_token, { client_id: chatgptClient, scope: "read write" });
    expect(JSON.parse(more.body)).toMatchObject({ error: "invalid_scope" });
    expect(parse((await refresh(port, tokens.refresh_token)).body).scope).toBe("read");
  });

  it("may be used again for a while where the owner allows it, and not after", async () => {
    let offset = 0;
    const clock = { ...systemClock, now: () => Date.now() + offset };
    const { port } = await house({ settings: { oauthRefreshGraceSeconds: 120 }, clock });
    const first = await obtainTokens(port);
    expect((await refresh(port, first.refresh_token)).status).toBe(200);
    const again = await refresh(port, first.refresh_token);
    expect(again.status).toBe(200);
    offset = 121_000;
    expect((await refresh(port, first.refresh_token)).status).toBe(400);
    expect((await refresh(port, parse(again.body).refresh_token)).status).toBe(400);
  });

  it("that the client gives back is over, with its access token", async () => {
    const { port } = await house();
    const tokens = await obtainTokens(port);
    const revoked = await postForm(port, "/oauth/revoke", {
      token: tokens.refresh_token,
      client_id: chatgptClient,
    });
    expect(revoked.status).toBe(200);
    expect((await refresh(port, tokens.refresh_token)).status).toBe(400);
    expect((await callMcp(port, tokens.access_token)).status).toBe(401);
  });
});

describe("a restart", () => {
  it("keeps ChatGPT signed in, and remembers what was used", async () => {
    const place = await directory();
    const before = await openHouse({ directory: place });
    const first = await obtainTokens(before.port);
    const second = parse((await refresh(before.port, first.refresh_token)).body);
    const jwks = (await ask(before.port, "/oauth/jwks")).body;
    await before.stop();

    const after = await house({ directory: place });
    expect((await ask(after.port, "/oauth/jwks")).body).toBe(jwks);
    expect((await callMcp(after.port, second.access_token)).status).toBe(200);
    const third = parse((await refresh(after.port, second.refresh_token)).body);
    expect((await callMcp(after.port, third.access_token)).status).toBe(200);
    expect((await refresh(after.port, first.refresh_token)).status).toBe(400);
    expect((await callMcp(after.port, third.access_token)).status).toBe(401);
  });

  it("keeps ChatGPT signed in while chatgpt.com does not answer, for a week", async () => {
    const place = await directory();
    const before = await openHouse({ directory: place });
    const tokens = await obtainTokens(before.port);
    await before.stop();
    let offset = 0;
    const clock = { ...systemClock, now: () => Date.now() + offset };
    const after = await openHouse({ directory: place, documents: {}, clock });
    const next = parse((await refresh(after.port, tokens.refresh_token)).body);
    expect((await callMcp(after.port, next.access_token)).status).toBe(200);
    expect(after.fetched).toEqual([chatgptClient]);
    // A stranger's client is not remembered by being asked for.
    expect(
      (await refresh(after.port, "x", { client_id: "https://chatgpt.com/oauth/other.json" })).status,
    ).toBe(400);
    await after.stop();
    offset = 8 * 86_400_000;
    const later = await house({ directory: place, documents: {}, clock });
    expect((await refresh(later.port, next.refresh_token)).status).toBe(400);
  });

  it("in the middle of signing in loses nothing", async () => {
    const place = await directory();
    const before = await openHouse({ directory: place });
    const authorization = createAuthorization();
    const back = await signIn(before.port, authorization);
    await before.stop();
    const after = await house({ directory: place });
    expect((await redeem(after.port, authorization, back)).status).toBe(200);
  });

  it("with a file that is no database moves it aside, says so, and begins anew", async () => {
    const place = await directory();
    const before = await openHouse({ directory: place });
    const tokens = await obtainTokens(before.port);
    await before.stop();
    const { writeFile } = await import("node:fs/promises");
    await writeFile(join(place, "oauth.sqlite"), "this is no database, whatever it is called".repeat(200));
    const after = await house({ directory: place });
    expect((await callMcp(after.port, tokens.access_token)).status).toBe(401);
    expect((await readdir(place)).some((name) => name.includes("unreadable"))).toBe(true);
    expect(after.logLines.some(({ level }) => level === "error")).toBe(true);
    expect((await callMcp(after.port, (await obtainTokens(after.port)).access_token)).status).toBe(200);
  });
});

describe("the owner", () => {
  it("sees who has signed in, and can end it at once", async () => {
    const { port, directory: place } = await house();
    const tokens = await obtainTokens(port);
    await obtainTokens(port, { scope: "read" });
    const database = new DatabaseSync(join(place, "oauth.sqlite"));
    cleanups.push(async () => database.close());
    const listed = listSignIns(database, Date.now());
    expect(listed.map(({ clientId, scopes }) => ({ clientId, scopes }))).toEqual([
      { clientId: chatgptClient, scopes: ["read", "write"] },
      { clientId: chatgptClient, scopes: ["read"] },
    ]);
    expect(endSignIns(database, listed[0]?.signInId ?? "")).toBe(1);
    expect((await callMcp(port, tokens.access_token)).status).toBe(401);
    expect((await refresh(port, tokens.refresh_token)).status).toBe(400);
    expect(listSignIns(database, Date.now())).toHaveLength(1);
    expect(endSignIns(database, null)).toBe(1);
  });
});

describe("what is written down", () => {
  it("has no code, token, passcode or cookie in it, in files (0600), logs, errors and events", async () => {
    const place = await directory();
    const made = await openHouse({ directory: place });
    const secrets: string[] = [passcode];
    const browser = createBrowser(made.port);
    const authorization = createAuthorization();
    const back = await signIn(made.port, authorization, { write: "yes" }, browser);
    const answers = [];
    const first = await redeem(made.port, authorization, back);
    const tokens = parse(first.body);
    const next = parse((await refresh(made.port, tokens.refresh_token)).body);
    secrets.push(back.searchParams.get("code") ?? "", authorization.verifier);
    secrets.push(tokens.access_token, tokens.refresh_token, next.access_token, next.refresh_token);
    // And everything that can go wrong with each of them.
    answers.push(await redeem(made.port, authorization, back));
    answers.push(await refresh(made.port, tokens.refresh_token));
    answers.push(await refresh(made.port, next.refresh_token, { client_id: "plain" }));
    answers.push(await ask(made.port, `/oauth/authorize?client_id=x&code=${back.searchParams.get("code")}`));
    answers.push(await ask(made.port, `/oauth/nothing?access_token=${next.access_token}`));
    answers.push(await callMcp(made.port, next.access_token));
    const wrong = "a wrong passcode that somebody typed";
    secrets.push(wrong);
    const page = String((await browser.get(createAuthorization().address)).headers.location);
    answers.push(await browser.submit(page, { decision: "allow", passcode: wrong }));
    const loggedBefore = JSON.stringify([
      made.logLines,
      made.bridge.logLines,
      made.bridge.arrivals,
      made.consents,
    ]);
    await made.stop();

    const files = await readdir(place);
    expect(files).toContain("oauth.sqlite");
    let kept = "";
    for (const name of files) {
      const path = join(place, name);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      kept += (await readFile(path)).toString("latin1");
    }
    const said = answers.map(({ body, headers }) => body + JSON.stringify(headers)).join("\n");
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(10);
      expect(kept).not.toContain(secret);
      expect(loggedBefore).not.toContain(secret);
      expect(said).not.toContain(secret);
    }
    expect(made.consents.map(({ outcome }) => outcome)).toEqual(["granted", "wrong_passcode"]);
  });
});

describe("a client that the owner gave a secret", () => {
  it("has to bring it, in the form or as Basic, and nobody else's", async () => {
    const clientSecret = "a-secret-of-at-least-32-characters-00";
    const { port } = await house({ settings: { oauthClientSecret: clientSecret } });
    const attempt = async (fields: Record<string, string>, headers: Record<string, string> = {}) => {
      const authorization = createAuthorization({ client_id: plainClient, redirect_uri: plainRedirect });
      const back = await signIn(port, authorization);
      const code = { code: back.searchParams.get("code") ?? "", code_verifier: authorization.verifier };
      const form = { grant_type: "authorization_code", redirect_uri: plainRedirect, ...code, ...fields };
      return (await postForm(port, "/oauth/token", form, headers)).status;
    };
    const basic = (secret: string) => ({
      authorization: `Basic ${Buffer.from(`${plainClient}:${secret}`).toString("base64")}`,
    });
    expect(await attempt({ client_id: plainClient, client_secret: clientSecret })).toBe(200);
    expect(await attempt({}, basic(clientSecret))).toBe(200);
    expect(await attempt({ client_id: plainClient })).toBe(401);
    expect(await attempt({ client_id: plainClient, client_secret: `${clientSecret}x` })).toBe(401);
    expect(await attempt({}, basic("wrong"))).toBe(401);
    expect(await attempt({ client_id: plainClient, client_secret: clientSecret }, basic(clientSecret))).toBe(
      400,
    );
  });
});

describe("registration", () => {
  const body = (redirect: string): string =>
    JSON.stringify({
      client_name: "Somebody",
      redirect_uris: [redirect],
      token_endpoint_auth_method: "none",
    });
  const register = async (port: number, redirect: string) =>
    ask(port, "/oauth/register", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: body(redirect),
    });

  it("is off unless the owner turns it on", async () => {
    const { port } = await house();
    expect((await register(port, "https://chatgpt.com/connector/oauth/x")).status).toBe(404);
  });

  it("where it is on, lets a client in that goes back to an allowed host, and no other", async () => {
    const { port } = await house({ settings: { oauthRegistration: true } });
    const redirect = "https://chatgpt.com/connector/oauth/x";
    const registered = await register(port, redirect);
    expect(registered.status).toBe(201);
    const { client_id: clientId } = JSON.parse(registered.body);
    const tokens = await obtainTokens(port, { client_id: clientId, redirect_uri: redirect });
    expect((await callMcp(port, tokens.access_token)).status).toBe(200);
    for (const elsewhere of [
      "https://evil.example/cb",
      "https://chatgpt.com.evil.example/cb",
      "http://chatgpt.com/cb",
    ]) {
      expect((await register(port, elsewhere)).status).toBe(400);
    }
    const metadata = await ask(port, "/.well-known/oauth-authorization-server");
    expect(JSON.parse(metadata.body).registration_endpoint).toBe(`${publicUrl}/oauth/register`);
  });

  it("keeps the newest fifty, however many come", async () => {
    const { port, directory: place } = await house({ settings: { oauthRegistration: true } });
    for (let count = 0; count < 60; count += 1) await register(port, "https://chatgpt.com/connector/oauth/x");
    const database = new DatabaseSync(join(place, "oauth.sqlite"), { readOnly: true });
    cleanups.push(async () => database.close());
    const row = database.prepare("SELECT count(*) AS n FROM records WHERE kind = 'Client'").get();
    expect(row?.["n"]).toBe(50);
  });
});
