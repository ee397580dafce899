import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterEach, describe, expect, it } from "vitest";
import {
  ask,
  callMcp,
  chatgptClient,
  chatgptDocument,
  chatgptRedirect,
  chatgptRedirectOfConnector,
  createAuthorization,
  obtainTokens,
  openHouse,
  postForm,
  publicUrl,
  resource,
  signIn,
  type House,
  type Tokens,
} from "./sign-in-house.ts";

let house: House;
afterEach(async () => house.stop());

const discover = JSON.stringify({
  jsonrpc: "2.0",
  id: "openai-mcp-discover",
  method: "server/discover",
  params: {
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "openai-mcp", version: "1.0.0" },
      "io.modelcontextprotocol/clientCapabilities": {
        experimental: { "openai/visibility": {} },
        extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } },
      },
    },
  },
});

const mcpHeaders = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  "user-agent": "openai-mcp/1.0.0 (ChatGPT)",
  "mcp-protocol-version": "2026-07-28",
  "mcp-method": "server/discover",
};

describe.each([
  { calls: "signs its calls to the token endpoint", isSigned: true },
  { calls: "calls the token endpoint as a public client, whatever its document says", isSigned: false },
])("ChatGPT, where it $calls", ({ isSigned }) => {
  it("finds the bridge, signs in, works, is probed, refreshes and goes on", async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
    const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES256", use: "sig" }] };
    house = await openHouse({
      documents: { [chatgptClient]: chatgptDocument, [chatgptDocument.jwks_uri]: jwks },
    });
    const { port } = house;
    const authentication = async (): Promise<Record<string, string>> => {
      if (!isSigned) return { client_id: chatgptClient };
      const assertion = await new SignJWT({ jti: crypto.randomUUID() })
        .setProtectedHeader({ alg: "ES256", kid: "one" })
        .setIssuer(chatgptClient)
        .setSubject(chatgptClient)
        .setAudience(`${publicUrl}/oauth/token`)
        .setIssuedAt()
        .setExpirationTime("2m")
        .sign(privateKey);
      return {
        client_id: chatgptClient,
        client_assertion: assertion,
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      };
    };

    // 1. The first look: server/discover, without a credential.
    const unknown = await ask(port, "/mcp", { method: "POST", headers: mcpHeaders, body: discover });
    expect(unknown.status).toBe(401);
    expect(unknown.headers["www-authenticate"]).toContain(
      `resource_metadata="${publicUrl}/.well-known/oauth-protected-resource/mcp"`,
    );
    expect(unknown.headers["www-authenticate"]).toContain('scope="read write"');

    // 2. Metadata, as Python's aiohttp fetches it, at both well-known forms.
    const aiohttp = { "user-agent": "Python/3.12 aiohttp/3.11", accept: "*/*" };
    const documents = [];
    for (const path of [
      "/.well-known/oauth-protected-resource",
      "/.well-known/oauth-protected-resource/mcp",
    ]) {
      const answer = await ask(port, path, { headers: aiohttp });
      expect(answer.status).toBe(200);
      expect(answer.headers["content-type"]).toMatch(/^application\/json/);
      documents.push(JSON.parse(answer.body));
    }
    expect(documents[0]).toEqual(documents[1]);
    expect(documents[0]).toMatchObject({
      resource,
      authorization_servers: [publicUrl],
      scopes_supported: ["read", "write"],
    });
    const servers = [];
    for (const path of ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]) {
      const answer = await ask(port, path, { headers: aiohttp });
      expect(answer.status).toBe(200);
      servers.push(JSON.parse(answer.body));
    }
    expect(servers[0]).toEqual(servers[1]);
    const [server] = servers;
    expect(server).toMatchObject({
      issuer: publicUrl,
      authorization_endpoint: `${publicUrl}/oauth/authorize`,
      token_endpoint: `${publicUrl}/oauth/token`,
      code_challenge_methods_supported: ["S256"],
      client_id_metadata_document_supported: true,
      authorization_response_iss_parameter_supported: true,
      response_types_supported: ["code"],
      response_modes_supported: ["query"],
      scopes_supported: ["read", "write", "offline_access"],
    });
    expect(server.token_endpoint_auth_methods_supported).toEqual(["none", "private_key_jwt"]);
    expect(server.registration_endpoint).toBeUndefined();
    for (const path of [
      "/.well-known/oauth-authorization-server/mcp",
      "/.well-known/openid-configuration/mcp",
    ]) {
      const answer = await ask(port, path, { headers: aiohttp });
      expect(answer.status).toBe(404);
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: "not_found" } });
    }

    // 3. The owner's browser, sent here from chatgpt.com with every scope that was advertised.
    const authorization = createAuthorization({ scope: "read write offline_access" });
    const back = await signIn(port, authorization);
    expect(`${back.origin}${back.pathname}`).toBe(chatgptRedirect);
    expect(back.searchParams.get("state")).toBe(authorization.state);
    expect(back.searchParams.get("iss")).toBe(publicUrl);
    expect(house.consents).toMatchObject([
      { outcome: "granted", clientId: chatgptClient, scopes: ["read", "write"] },
    ]);

    // 4. The code becomes tokens.
    const tokenHeaders = { "user-agent": "openai-connectors-oauth/1.0", accept: "application/json" };
    const redeemed = await postForm(
      port,
      "/oauth/token",
      {
        grant_type: "authorization_code",
        code: back.searchParams.get("code") ?? "",
        code_verifier: authorization.verifier,
        redirect_uri: chatgptRedirect,
        resource,
        ...(await authentication()),
      },
      tokenHeaders,
    );
    expect(redeemed.body).toContain("access_token");
    expect(redeemed.status).toBe(200);
    expect(redeemed.headers["cache-control"]).toContain("no-store");
    const tokens: Tokens = JSON.parse(redeemed.body);
    expect(tokens).toMatchObject({ token_type: "Bearer", expires_in: 3600, scope: "read write" });
    const [header = "", payload = ""] = tokens.access_token.split(".");
    expect(JSON.parse(Buffer.from(header, "base64url").toString())).toMatchObject({
      typ: "at+jwt",
      alg: "ES256",
    });
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({
      aud: resource,
      iss: publicUrl,
    });

    // 5. The probe without a credential, right after linking.
    const probe = await ask(port, "/mcp", {
      method: "POST",
      headers: { ...mcpHeaders, ...aiohttp },
      body: discover,
    });
    expect(probe.status).toBe(401);

    // 6. Work: discover, then a tool.
    const known = { ...mcpHeaders, authorization: `Bearer ${tokens.access_token}` };
    const found = await ask(port, "/mcp", { method: "POST", headers: known, body: discover });
    expect(found.status).toBe(200);
    expect(JSON.parse(found.body).result.supportedVersions).toContain("2026-07-28");
    expect((await callMcp(port, tokens.access_token)).status).toBe(200);

    // 7. A token that is over: 401 invalid_token, refresh, and on.
    const over = await callMcp(port, `${tokens.access_token.slice(0, -8)}AAAAAAAA`);
    expect(over.status).toBe(401);
    expect(over.headers["www-authenticate"]).toContain('error="invalid_token"');
    let last = tokens;
    for (let round = 0; round < 3; round += 1) {
      const fields = {
        grant_type: "refresh_token",
        refresh_token: last.refresh_token,
        resource,
        ...(await authentication()),
      };
      const answer = await postForm(port, "/oauth/token", fields, tokenHeaders);
      expect(answer.status).toBe(200);
      const next: Tokens = JSON.parse(answer.body);
      expect(next.refresh_token).not.toBe(last.refresh_token);
      expect(next).toMatchObject({ scope: "read write", expires_in: 3600 });
      expect((await callMcp(port, next.access_token)).status).toBe(200);
      last = next;
    }
    expect(house.logLines.filter(({ level }) => level === "error")).toEqual([]);
  });
});

describe("ChatGPT's other client", () => {
  it("has a document and a redirect address for each connector, and signs in with those", async () => {
    const client = "https://chatgpt.com/oauth/cb_0123456789/client.json";
    const document = { ...chatgptDocument, client_id: client, redirect_uris: [chatgptRedirectOfConnector] };
    house = await openHouse({ documents: { [client]: document } });
    const changes = { client_id: client, redirect_uri: chatgptRedirectOfConnector };
    const tokens = await obtainTokens(house.port, changes);
    expect((await callMcp(house.port, tokens.access_token)).status).toBe(200);
    const refused = await ask(
      house.port,
      createAuthorization({ ...changes, redirect_uri: chatgptRedirect }).address,
    );
    expect(refused.status).toBe(400);
  });
});

describe("the client's document", () => {
  it("is fetched once, and nothing that it links to but its keys", async () => {
    house = await openHouse();
    await signIn(house.port, createAuthorization());
    await signIn(house.port, createAuthorization());
    expect(house.fetched).toEqual([chatgptClient]);
  });

  it("once the client has signed a call, an unsigned one of the same client is refused for ever", async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
    const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES256", use: "sig" }] };
    house = await openHouse({
      documents: { [chatgptClient]: chatgptDocument, [chatgptDocument.jwks_uri]: jwks },
    });
    const { port } = house;
    const authorization = createAuthorization();
    const back = await signIn(port, authorization);
    const assertion = await new SignJWT({ jti: "j1" })
      .setProtectedHeader({ alg: "ES256", kid: "one" })
      .setIssuer(chatgptClient)
      .setSubject(chatgptClient)
      .setAudience(publicUrl)
      .setIssuedAt()
      .setExpirationTime("2m")
      .sign(privateKey);
    const signed = await postForm(port, "/oauth/token", {
      grant_type: "authorization_code",
      code: back.searchParams.get("code") ?? "",
      code_verifier: authorization.verifier,
      redirect_uri: chatgptRedirect,
      client_id: chatgptClient,
      client_assertion: assertion,
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    });
    expect(signed.status).toBe(200);
    const { refresh_token: refreshToken }: Tokens = JSON.parse(signed.body);
    const stolen = await postForm(port, "/oauth/token", {
      grant_type: "refresh_token",
      refresh_token: refreshToken,
      client_id: chatgptClient,
    });
    expect(stolen.status).toBe(401);
    expect(JSON.parse(stolen.body)).toMatchObject({ error: "invalid_client" });
  });
});
