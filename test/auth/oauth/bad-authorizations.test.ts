import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ask,
  chatgptClient,
  chatgptRedirect,
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
  resource,
  signIn,
  type Authorization,
  type House,
} from "./sign-in-house.ts";

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(async () => house.stop());

const evil = "https://evil.example/callback";

/** Each is one request to the authorization endpoint. `goesTo`: where the refusal is sent; null: it stays here. */
const requests: readonly {
  name: string;
  changes?: Record<string, string | null>;
  append?: string;
  goesTo: string | null;
  error: string;
}[] = [
  { name: "no client", changes: { client_id: null }, goesTo: null, error: "invalid_request" },
  { name: "an unknown client", changes: { client_id: "nobody" }, goesTo: null, error: "invalid_client" },
  {
    name: "a client's document on another host",
    changes: { client_id: "https://evil.example/client.json" },
    goesTo: null,
    error: "invalid_client",
  },
  {
    name: "another document of the allowed host, which is not there",
    changes: { client_id: "https://chatgpt.com/oauth/other.json" },
    goesTo: null,
    error: "invalid_client",
  },
  {
    name: "no redirect address where the client has two",
    changes: { redirect_uri: null },
    goesTo: null,
    error: "invalid_request",
  },
  {
    name: "a redirect address elsewhere",
    changes: { redirect_uri: evil },
    goesTo: null,
    error: "invalid_redirect_uri",
  },
  {
    name: "a redirect address that goes on",
    changes: { redirect_uri: `${chatgptRedirect}/more` },
    goesTo: null,
    error: "invalid_redirect_uri",
  },
  {
    name: "a redirect address with a query",
    changes: { redirect_uri: `${chatgptRedirect}?next=${evil}` },
    goesTo: null,
    error: "invalid_redirect_uri",
  },
  {
    name: "a redirect address with dots in it",
    changes: { redirect_uri: "https://chatgpt.com/x/../connector_platform_oauth_redirect" },
    goesTo: null,
    error: "invalid_redirect_uri",
  },
  {
    name: "a redirect address with a user in it",
    changes: { redirect_uri: "https://chatgpt.com@evil.example/connector_platform_oauth_redirect" },
    goesTo: null,
    error: "invalid_redirect_uri",
  },
  {
    name: "a redirect address in http",
    changes: { redirect_uri: chatgptRedirect.replace("https", "http") },
    goesTo: null,
    error: "invalid_redirect_uri",
  },
  {
    name: "a redirect address that is a script",
    changes: { redirect_uri: "javascript:alert(1)" },
    goesTo: null,
    error: "invalid_redirect_uri",
  },
  {
    name: "a redirect address in other letters",
    changes: { redirect_uri: chatgptRedirect.replace("connector", "Connector") },
    goesTo: null,
    error: "invalid_redirect_uri",
  },
  {
    name: "two redirect addresses",
    append: `&redirect_uri=${encodeURIComponent(evil)}`,
    goesTo: null,
    error: "invalid_request",
  },
  { name: "two clients", append: "&client_id=plain", goesTo: null, error: "invalid_request" },
  {
    name: "the redirect address of another client",
    changes: { client_id: plainClient },
    goesTo: null,
    error: "invalid_redirect_uri",
  },
  {
    name: "an answer in the fragment",
    changes: { response_mode: "fragment" },
    goesTo: chatgptRedirect,
    error: "unsupported_response_mode",
  },
  {
    name: "an answer on a page that posts it",
    changes: { response_mode: "form_post" },
    goesTo: chatgptRedirect,
    error: "unsupported_response_mode",
  },
  {
    name: "no PKCE",
    changes: { code_challenge: null, code_challenge_method: null },
    goesTo: chatgptRedirect,
    error: "invalid_request",
  },
  {
    name: "PKCE with the plain method",
    changes: { code_challenge_method: "plain" },
    goesTo: chatgptRedirect,
    error: "invalid_request",
  },
  {
    name: "PKCE without a method",
    changes: { code_challenge_method: null },
    goesTo: chatgptRedirect,
    error: "invalid_request",
  },
  {
    name: "a challenge that is too short",
    changes: { code_challenge: "short" },
    goesTo: chatgptRedirect,
    error: "invalid_request",
  },
  {
    name: "an implicit response",
    changes: { response_type: "token" },
    goesTo: chatgptRedirect,
    error: "unsupported_response_type",
  },
  {
    name: "an id token",
    changes: { response_type: "id_token" },
    goesTo: chatgptRedirect,
    error: "unsupported_response_type",
  },
  {
    name: "no response type",
    changes: { response_type: null },
    goesTo: chatgptRedirect,
    error: "invalid_request",
  },
  {
    name: "another resource",
    changes: { resource: "https://other.example/mcp" },
    goesTo: chatgptRedirect,
    error: "invalid_target",
  },
  {
    name: "the resource and another one",
    append: `&resource=${encodeURIComponent("https://other.example/mcp")}`,
    goesTo: chatgptRedirect,
    error: "invalid_target",
  },
  {
    name: "a resource that is no address",
    changes: { resource: "mcp" },
    goesTo: chatgptRedirect,
    error: "invalid_target",
  },
  {
    name: "no page for the owner (prompt=none)",
    changes: { prompt: "none" },
    goesTo: chatgptRedirect,
    error: "login_required",
  },
  {
    name: "a request object",
    changes: { request: "eyJhbGciOiJub25lIn0.e30." },
    goesTo: chatgptRedirect,
    error: "request_not_supported",
  },
  {
    name: "a request by reference",
    changes: { request_uri: "https://evil.example/request.jwt" },
    goesTo: chatgptRedirect,
    error: "request_uri_not_supported",
  },
];

describe("the authorization endpoint refuses", () => {
  it.each(requests)("$name", async ({ changes = {}, append = "", goesTo, error }) => {
    const { address } = createAuthorization(changes);
    const answer = await createBrowser(house.port).get(`${address}${append}`);
    const location = answer.headers.location ?? null;
    expect(location ?? "").not.toContain("/oauth/consent/");
    if (goesTo === null) {
      expect(location).toBeNull();
      expect([400, 401]).toContain(answer.status);
      expect(answer.headers["content-type"]).toContain("text/html");
      expect(answer.headers["content-security-policy"]).toContain("default-src 'none'");
      const asJson = await ask(house.port, `${address}${append}`, {
        headers: { accept: "application/json" },
      });
      expect(JSON.parse(asJson.body)).toMatchObject({ error });
    } else {
      const back = new URL(location ?? "about:blank");
      expect(`${back.origin}${back.pathname}`).toBe(goesTo);
      // For a response type other than code the answer is in the fragment.
      const said = back.hash === "" ? back.searchParams : new URLSearchParams(back.hash.slice(1));
      expect(said.get("error")).toBe(error);
      expect(said.get("iss")).toBe(publicUrl);
      expect(said.get("code")).toBeNull();
    }
  });

  it("every method but GET", async () => {
    const answer = await postForm(house.port, "/oauth/authorize", { client_id: chatgptClient });
    expect(answer.status).toBe(405);
    expect(answer.headers["allow"]).toBe("GET");
  });
});

describe("the consent page", () => {
  async function open(authorization: Authorization = createAuthorization()) {
    const browser = createBrowser(house.port);
    const page = String((await browser.get(authorization.address)).headers.location);
    expect(page).toMatch(/^\/oauth\/consent\//);
    return { browser, page };
  }

  it("is not there for whoever only has its address", async () => {
    const { page } = await open();
    const other = await createBrowser(house.port).get(page);
    expect(other.status).toBe(400);
    expect(other.body).not.toContain("<form");
    const forged = await createBrowser(house.port).submit(page, { decision: "allow", passcode });
    expect(forged.status).toBe(400);
  });

  it("lets nobody in without the passcode, nor with an earlier sign-in of the same browser", async () => {
    const browser = createBrowser(house.port);
    await signIn(house.port, createAuthorization(), { write: "yes" }, browser);
    const again = await browser.get(createAuthorization().address);
    const page = String(again.headers.location);
    expect(page).toMatch(/^\/oauth\/consent\//);
    const sent = await browser.submit(page, { decision: "allow", passcode: "" });
    expect(sent.status).toBe(403);
    const resumed = await browser.get(page.replace("consent", "authorize"));
    expect(resumed.headers.location ?? "").not.toContain("code=");
  });

  it("cannot be skipped by going straight to what comes after it", async () => {
    const { browser, page } = await open();
    const resumed = await browser.get(page.replace("consent", "authorize"));
    expect(resumed.headers.location ?? "").not.toContain("code=");
  });

  it("says no for the owner when they refuse", async () => {
    const { browser, page } = await open();
    const sent = await browser.submit(page, { decision: "deny" });
    const back = new URL(String((await browser.get(String(sent.headers.location))).headers.location));
    expect(back.searchParams.get("error")).toBe("access_denied");
    expect(back.searchParams.get("code")).toBeNull();
  });

  it("grants reading alone where the owner takes the tick away", async () => {
    const authorization = createAuthorization();
    const back = await signIn(house.port, authorization, {});
    const tokens = JSON.parse((await redeem(house.port, authorization, back)).body);
    expect(tokens.scope).toBe("read");
  });

  it("takes no form from a page elsewhere", async () => {
    const { page } = await open();
    const sent = await postForm(
      house.port,
      page,
      { decision: "allow", passcode },
      { origin: "https://evil.example" },
    );
    expect(sent.status).toBe(403);
    expect(JSON.parse(sent.body)).toMatchObject({ error: { code: "foreign_origin" } });
  });

  it("takes no form that is not one, or too large", async () => {
    const { browser, page } = await open();
    const large = await browser.submit(page, { decision: "allow", passcode: "x".repeat(9_000) });
    expect(large.status).toBe(400);
  });

  it("escapes what a client calls itself", async () => {
    const name = `<img src=x onerror=alert(1)>"'&`;
    const other = await openHouse({
      documents: {
        [chatgptClient]: { client_id: chatgptClient, client_name: name, redirect_uris: [chatgptRedirect] },
      },
    });
    try {
      const browser = createBrowser(other.port);
      const page = await browser.get(
        String((await browser.get(createAuthorization().address)).headers.location),
      );
      expect(page.status).toBe(200);
      expect(page.body).not.toContain("<img");
      expect(page.body).toContain("&#60;img");
    } finally {
      await other.stop();
    }
  });
});

describe("the token endpoint refuses", () => {
  it.each<{ name: string; change: (fields: Record<string, string>) => Record<string, string> }>([
    { name: "a wrong verifier", change: (fields) => ({ ...fields, code_verifier: "x".repeat(43) }) },
    { name: "no verifier", change: ({ code_verifier: _verifier, ...fields }) => fields },
    { name: "another redirect address", change: (fields) => ({ ...fields, redirect_uri: evil }) },
    { name: "another client", change: (fields) => ({ ...fields, client_id: plainClient }) },
    { name: "an unknown client", change: (fields) => ({ ...fields, client_id: "nobody" }) },
    { name: "another resource", change: (fields) => ({ ...fields, resource: "https://other.example/mcp" }) },
    { name: "another code", change: (fields) => ({ ...fields, code: "x".repeat(43) }) },
    { name: "no code", change: ({ code: _code, ...fields }) => fields },
    {
      name: "a grant type that is not offered",
      change: (fields) => ({ ...fields, grant_type: "client_credentials" }),
    },
    {
      name: "a password",
      change: (fields) => ({ ...fields, grant_type: "password", username: "owner", password: passcode }),
    },
    {
      name: "an assertion that nobody signed",
      change: (fields) => ({
        ...fields,
        client_assertion:
          "eyJhbGciOiJub25lIn0.eyJzdWIiOiJodHRwczovL2NoYXRncHQuY29tL29hdXRoL2NsaWVudC5qc29uIn0.",
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      }),
    },
  ])("$name", async ({ change }) => {
    const authorization = createAuthorization();
    const back = await signIn(house.port, authorization);
    const fields = {
      grant_type: "authorization_code",
      code: back.searchParams.get("code") ?? "",
      code_verifier: authorization.verifier,
      client_id: chatgptClient,
      redirect_uri: chatgptRedirect,
      resource,
    };
    const answer = await postForm(house.port, "/oauth/token", change(fields));
    expect([400, 401]).toContain(answer.status);
    expect(answer.body).not.toContain("access_token");
    expect(JSON.parse(answer.body).error).toMatch(/^(invalid|unsupported|unauthorized)_/);
  });

  it("a code that was used, and takes back what was given for it", async () => {
    const authorization = createAuthorization();
    const back = await signIn(house.port, authorization);
    const first = await redeem(house.port, authorization, back);
    expect(first.status).toBe(200);
    const second = await redeem(house.port, authorization, back);
    expect(second.status).toBe(400);
    const { refresh_token: refreshToken } = JSON.parse(first.body);
    const fields = { grant_type: "refresh_token", refresh_token: refreshToken, client_id: chatgptClient };
    expect((await postForm(house.port, "/oauth/token", fields)).status).toBe(400);
  });

  it("of ten uses of one code at the same moment all but one at most", async () => {
    const authorization = createAuthorization();
    const back = await signIn(house.port, authorization);
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => redeem(house.port, authorization, back)),
    );
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
  });
});

describe("a request without what can be guessed", () => {
  it("is for the only resource there is, and for both scopes", async () => {
    const tokens = await obtainTokens(house.port, { resource: null, scope: null });
    expect(tokens.scope).toBe("read write");
    const payload = JSON.parse(Buffer.from(tokens.access_token.split(".")[1] ?? "", "base64url").toString());
    expect(payload.aud).toBe(resource);
  });

  it("may carry OpenID Connect's parameters, which mean nothing here", async () => {
    const authorization = createAuthorization({
      nonce: "n",
      id_token_hint: "x.y.z",
      max_age: "0",
      scope: "openid email read",
    });
    const back = await signIn(house.port, authorization);
    const answer = await redeem(house.port, authorization, back);
    expect(JSON.parse(answer.body)).toMatchObject({ scope: "read" });
    expect(JSON.parse(answer.body).id_token).toBeUndefined();
  });

  it("may come from a program on this machine, at any port, and from nowhere else at another port", async () => {
    const other = await openHouse({
      settings: { oauthClients: ["native=http://127.0.0.1/callback", "web=https://client.example/callback"] },
    });
    try {
      const back = await signIn(
        other.port,
        createAuthorization({ client_id: "native", redirect_uri: "http://127.0.0.1:50123/callback" }),
      );
      expect(back.port).toBe("50123");
      for (const [client, redirect] of [
        ["native", "http://127.0.0.1:50123/other"],
        ["native", "http://127.0.0.2/callback"],
        ["web", "https://client.example:8443/callback"],
      ] as const) {
        const { address } = createAuthorization({ client_id: client, redirect_uri: redirect });
        const refused = await createBrowser(other.port).get(address);
        expect(refused.status).toBe(400);
        expect(refused.headers.location).toBeUndefined();
      }
    } finally {
      await other.stop();
    }
  });

  it("works for a client that the owner named beforehand", async () => {
    const tokens = await obtainTokens(house.port, { client_id: plainClient, redirect_uri: plainRedirect });
    expect(tokens.scope).toBe("read write");
  });
});
