import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer as createTlsServer, type Server } from "node:https";
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  createGuardedFetch,
  type FetchDocument,
  type GuardedFetchParts,
} from "../../../src/auth/oauth/guarded-fetch.ts";
import { isPublicAddress } from "../../../src/auth/oauth/public-address.ts";
import {
  chatgptClient,
  chatgptDocument,
  chatgptRedirect,
  createAuthorization,
  createBrowser,
  openHouse,
  postForm,
  resource,
  signIn,
} from "./sign-in-house.ts";

const hosts = ["chatgpt.com"];

/** Where a guard that fails would end up: it counts who comes. */
let canary: TcpServer;
let visits = 0;
let canaryPort = 0;
/** chatgpt.com, as far as the fetch can tell. */
let site: Server;
let answer: (path: string) => { status: number; headers?: Record<string, string>; body: string };
let paths: string[] = [];
let tls: NonNullable<GuardedFetchParts["connect"]>;
let scratch: string;

beforeAll(async () => {
  canary = createTcpServer((socket) => {
    visits += 1;
    socket.destroy();
  });
  canaryPort = await listening(canary);
  scratch = await mkdtemp(join(tmpdir(), "oauth-tls-"));
  const [keyFile, certFile] = [join(scratch, "key.pem"), join(scratch, "cert.pem")];
  await promisify(execFile)("openssl", [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=chatgpt.com",
    "-addext",
    "subjectAltName=DNS:chatgpt.com",
    "-keyout",
    keyFile,
    "-out",
    certFile,
  ]);
  const [key, cert] = [await readFile(keyFile), await readFile(certFile)];
  site = createTlsServer({ key, cert }, (request, response) => {
    paths.push(request.url ?? "");
    const { status, headers = {}, body } = answer(request.url ?? "");
    response.writeHead(status, headers).end(body);
  });
  tls = { address: "127.0.0.1", port: await listening(site), ca: cert };
});
afterAll(async () => {
  canary.close();
  site.close();
  await rm(scratch, { recursive: true, force: true });
});
beforeEach(() => {
  visits = 0;
  paths = [];
});

async function listening(server: TcpServer): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return (server.address() as AddressInfo).port;
}

const fromSite = (): FetchDocument =>
  createGuardedFetch({ hosts, resolve: async () => [{ address: "104.18.32.47", family: 4 }], connect: tls });

/** Whole client ids: none of these may be connected to, or even looked up. */
const targets = [
  "http://169.254.169.254/latest/meta-data",
  "https://169.254.169.254/latest/meta-data",
  "https://127.0.0.1/client.json",
  "https://[::1]/client.json",
  "https://[::ffff:127.0.0.1]/client.json",
  "https://[fd00::1]/client.json",
  "https://localhost/client.json",
  "https://0.0.0.0/client.json",
  "https://10.0.0.1/client.json",
  "https://192.168.1.1/admin",
  "https://2130706433/client.json",
  "https://0x7f.1/client.json",
  "https://metadata.google.internal/computeMetadata/v1",
  "https://chatgpt.com:8443/client.json",
  "https://chatgpt.com@evil.example/client.json",
  "https://user:pass@chatgpt.com/client.json",
  "https://chatgpt.com.evil.example/client.json",
  "https://evil.example/chatgpt.com/client.json",
  "https://chatgpt.com\\@evil.example/client.json",
  "https://chatgpt.com%2eevil.example/client.json",
  "https://chatgpt.com/oauth/../../client.json",
  "https://chatgpt.com/client.json#x",
  "https://CHATGPT.com/client.json",
  "https://chatgpt.com./client.json",
  "http://chatgpt.com/client.json",
  "file:///etc/passwd",
  "ftp://chatgpt.com/client.json",
];

describe("a client id that is the address of something else", () => {
  it.each(targets)("%s is not fetched", async (target) => {
    const asked: string[] = [];
    const fetchDocument = createGuardedFetch({
      hosts,
      resolve: async (hostname) => {
        asked.push(hostname);
        return [{ address: "127.0.0.1", family: 4 }];
      },
      connect: { port: canaryPort },
    });
    await expect(fetchDocument(target)).rejects.toThrow("not one that may be fetched");
    const house = await openHouse({ fetchDocument });
    try {
      const refused = await createBrowser(house.port).get(createAuthorization({ client_id: target }).address);
      expect([400, 401]).toContain(refused.status);
      expect(refused.headers.location).toBeUndefined();
    } finally {
      await house.stop();
    }
    expect(asked).toEqual([]);
    expect(visits).toBe(0);
  });

  it.each([
    ["this machine", "127.0.0.1", 4],
    ["this machine, in IPv6", "::1", 6],
    ["this machine, mapped into IPv6", "::ffff:127.0.0.1", 6],
    ["the cloud's metadata", "169.254.169.254", 4],
    ["a private network", "10.1.2.3", 4],
    ["another one", "172.16.0.1", 4],
    ["the router", "192.168.0.1", 4],
    ["the provider's own", "100.64.0.1", 4],
    ["nowhere", "0.0.0.0", 4],
    ["everybody", "255.255.255.255", 4],
    ["the link", "fe80::1", 6],
    ["a private network in IPv6", "fd12:3456::1", 6],
    ["IPv4 through a translator", "64:ff9b::7f00:1", 6],
    ["IPv4 through 6to4", "2002:7f00:1::1", 6],
  ])("is not fetched when the allowed name leads to %s", async (_where, address, family) => {
    const fetchDocument = createGuardedFetch({
      hosts,
      // One good address beside it makes it no better.
      resolve: async () => [
        { address: "104.18.32.47", family: 4 },
        { address, family },
      ],
      connect: { port: canaryPort },
    });
    await expect(fetchDocument(chatgptClient)).rejects.toThrow("public address");
    expect(visits).toBe(0);
    expect(isPublicAddress(address)).toBe(false);
  });

  it("leads to public addresses where it does", () => {
    expect(
      ["104.18.32.47", "8.8.8.8", "2606:4700::6812:202f", "172.32.0.1"].every((address) =>
        isPublicAddress(address),
      ),
    ).toBe(true);
    expect(isPublicAddress("chatgpt.com")).toBe(false);
  });
});

describe("the allowed host", () => {
  it("is fetched from over TLS, without anything that tells who asks", async () => {
    answer = () => ({
      status: 200,
      headers: { "cache-control": "max-age=60" },
      body: JSON.stringify(chatgptDocument),
    });
    const fetched = await fromSite()(chatgptClient);
    expect(JSON.parse(fetched.text)).toEqual(chatgptDocument);
    expect(fetched.headers["cache-control"]).toBe("max-age=60");
    const house = await openHouse({ fetchDocument: fromSite() });
    try {
      expect((await signIn(house.port, createAuthorization())).searchParams.get("code")).toMatch(
        /^[\w-]{43}$/,
      );
    } finally {
      await house.stop();
    }
  });

  it.each([
    ["sends elsewhere", { status: 302, headers: { location: "http://169.254.169.254/" }, body: "" }],
    ["sends elsewhere on itself", { status: 301, headers: { location: "/other.json" }, body: "" }],
    ["has nothing there", { status: 404, body: JSON.stringify(chatgptDocument) }],
    [
      "sends too much",
      { status: 200, body: JSON.stringify({ ...chatgptDocument, padding: "x".repeat(70_000) }) },
    ],
  ])("is not followed when it %s", async (_what, given) => {
    answer = () => given;
    await expect(fromSite()(chatgptClient)).rejects.toThrow(/answered|too large/);
    expect(paths).toHaveLength(1);
  });

  it("is not believed with a certificate for another name", async () => {
    answer = () => ({ status: 200, body: "{}" });
    const fetchDocument = createGuardedFetch({
      hosts: ["claude.ai"],
      resolve: async () => [{ address: "104.18.32.47", family: 4 }],
      connect: tls,
    });
    await expect(fetchDocument("https://claude.ai/client.json")).rejects.toThrow(/altnames|certificate/i);
    expect(paths).toEqual([]);
  });
});

describe("a document of the allowed host", () => {
  it.each<[string, Record<string, unknown>]>([
    ["is of another client", { client_id: "https://chatgpt.com/oauth/other.json" }],
    ["sends people elsewhere", { redirect_uris: ["https://evil.example/cb"] }],
    ["sends people elsewhere too", { redirect_uris: [chatgptRedirect, "https://evil.example/cb"] }],
    ["sends people to a script", { redirect_uris: ["javascript:alert(1)"] }],
    ["sends people nowhere", { redirect_uris: [] }],
    ["has a secret in it", { client_secret: "a-secret-that-everybody-can-read" }],
    ["says that it has a secret", { token_endpoint_auth_method: "client_secret_post" }],
  ])("that %s is no client", async (_what, changes) => {
    const house = await openHouse({ documents: { [chatgptClient]: { ...chatgptDocument, ...changes } } });
    try {
      const refused = await createBrowser(house.port).get(createAuthorization().address);
      expect([400, 401]).toContain(refused.status);
      expect(refused.headers.location).toBeUndefined();
    } finally {
      await house.stop();
    }
  });

  it("makes the bridge fetch nothing that it links to, on this machine or elsewhere", async () => {
    const inside = `https://127.0.0.1:${canaryPort}/keys.json`;
    const links = {
      jwks_uri: inside,
      logo_uri: inside,
      sector_identifier_uri: inside,
      client_uri: inside,
      policy_uri: inside,
      tos_uri: inside,
    };
    answer = () => ({ status: 200, body: JSON.stringify({ ...chatgptDocument, ...links }) });
    const house = await openHouse({ fetchDocument: fromSite() });
    try {
      const authorization = createAuthorization();
      const back = await signIn(house.port, authorization);
      const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
      const seconds = Math.floor(Date.now() / 1000);
      const claims = {
        iss: chatgptClient,
        sub: chatgptClient,
        aud: "https://bridge.example",
        jti: "j",
        iat: seconds,
        exp: seconds + 60,
      };
      const signed = await postForm(house.port, "/oauth/token", {
        grant_type: "authorization_code",
        code: back.searchParams.get("code") ?? "",
        code_verifier: authorization.verifier,
        redirect_uri: chatgptRedirect,
        resource,
        client_id: chatgptClient,
        client_assertion: `${encode({ alg: "ES256", kid: "k" })}.${encode(claims)}.${"A".repeat(86)}`,
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      });
      expect([400, 401]).toContain(signed.status);
    } finally {
      await house.stop();
    }
    expect(visits).toBe(0);
    expect(paths).toEqual(["/oauth/client.json"]);
  });
});
