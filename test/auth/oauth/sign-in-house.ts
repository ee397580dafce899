/** A bridge that one can sign in to, on a real socket, and a browser of the simplest kind that does so. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthenticate } from "../../../src/auth/bearer.ts";
import { createChallenges } from "../../../src/auth/challenge.ts";
import type { FetchDocument } from "../../../src/auth/oauth/guarded-fetch.ts";
import type { ConsentEvent, OAuthSettings } from "../../../src/auth/oauth/oauth-parts.ts";
import { openOAuth, type OAuth } from "../../../src/auth/oauth/oauth.ts";
import { systemClock, type Clock } from "../../../src/lib/clock.ts";
import {
  send,
  startBridge,
  type Answer,
  type LogLine,
  type RunningBridge,
} from "../../http/fixture/start-bridge.ts";

import { countStart, noteCredential, searchWritten } from "../../support/leak-search.ts";

export const publicUrl = "https://bridge.example";
export const resource = `${publicUrl}/mcp`;
export const passcode = "the owner's own passcode";
export const chatgptClient = "https://chatgpt.com/oauth/client.json";
export const chatgptRedirect = "https://chatgpt.com/connector_platform_oauth_redirect";
export const chatgptRedirectOfConnector = "https://chatgpt.com/connector/oauth/cb_0123456789";
export const plainClient = "plain";
export const plainRedirect = "https://client.example/callback";

export const chatgptDocument = {
  client_id: chatgptClient,
  client_name: "ChatGPT",
  redirect_uris: [chatgptRedirect, chatgptRedirectOfConnector],
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  token_endpoint_auth_method: "private_key_jwt",
  jwks_uri: "https://chatgpt.com/oauth/jwks.json",
  logo_uri: "https://chatgpt.com/logo.png",
};

export interface House {
  readonly directory: string;
  readonly port: number;
  readonly bridge: RunningBridge;
  readonly oauth: OAuth;
  readonly consents: ConsentEvent[];
  /** Addresses that were asked for, and what came of it is up to `documents`. */
  readonly fetched: string[];
  readonly logLines: LogLine[];
  stop(): Promise<void>;
}

export interface HouseOptions {
  /** Default: one of its own, removed at the end. */
  readonly directory?: string;
  readonly settings?: Partial<OAuthSettings>;
  readonly documents?: Readonly<Record<string, unknown>>;
  readonly fetchDocument?: FetchDocument;
  readonly clock?: Clock;
  readonly fetch?: typeof globalThis.fetch;
}

export async function openHouse(options: HouseOptions = {}): Promise<House> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "oauth-")));
  const { clock = systemClock, documents = { [chatgptClient]: chatgptDocument }, settings = {} } = options;
  const consents: ConsentEvent[] = [];
  const fetched: string[] = [];
  const logLines: LogLine[] = [];
  const at = (level: LogLine["level"]) => (fields: LogLine["fields"], message: string) => {
    logLines.push({ level, fields, message });
  };
  const opened = await openOAuth({
    settings: {
      publicUrl,
      oauthPasscode: passcode,
      oauthClientHosts: ["chatgpt.com"],
      oauthClients: [`${plainClient}=${plainRedirect}`],
      oauthRegistration: false,
      oauthRefreshGraceSeconds: 0,
      authClients: [],
      authSubjects: [],
      ...settings,
    },
    directory,
    clock,
    log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
    onConsent: (event) => consents.push(event),
    fetchDocument:
      options.fetchDocument ??
      (async (address) => {
        fetched.push(address);
        if (!(address in documents)) throw new Error("not there");
        return { text: JSON.stringify(documents[address]), headers: {} };
      }),
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  });
  if (!opened.ok) throw new Error(opened.failure);
  const oauth = opened.value;
  noteCredential("the passcode", settings.oauthPasscode ?? passcode);
  countStart();
  const bridge = await startBridge({
    authenticate: createAuthenticate({ token: null, noAuth: false, headerSecret: null }, [oauth.verify]),
    challenges: createChallenges(oauth.metadataUrl),
    oauth,
    clock,
  });
  return {
    directory,
    port: bridge.listening.port,
    bridge,
    oauth,
    consents,
    fetched,
    logLines,
    async stop() {
      await bridge.stop();
      oauth.close();
      const log = JSON.stringify([logLines, bridge.logLines, consents]);
      await searchWritten({ process: "a house to sign in to", texts: { log }, directories: [directory] });
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Sends to the bridge as a tunnel does: plain HTTP, the public Host. */
export async function ask(
  port: number,
  path: string,
  init: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const headers = { host: new URL(publicUrl).host, ...init.headers };
  return send(port, {
    method: init.method ?? "GET",
    path,
    headers,
    ...(init.body === undefined ? {} : { body: init.body }),
  });
}

export async function postForm(
  port: number,
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  for (const name of ["passcode", "code", "code_verifier", "refresh_token", "client_secret"])
    noteCredential(name, fields[name]);
  const answer = await ask(port, path, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    body: new URLSearchParams(fields).toString(),
  });
  for (const [, name = "", value] of answer.body.matchAll(/"(access_token|refresh_token)":"([^"]+)"/g))
    noteCredential(name, value);
  return answer;
}

export interface Browser {
  get(address: string): Promise<Answer>;
  submit(address: string, fields: Record<string, string>): Promise<Answer>;
}

/** Keeps cookies by name and path, and follows no redirect by itself. */
export function createBrowser(port: number, base = publicUrl): Browser {
  const jar = new Map<string, { value: string; path: string }>();
  const keep = (answer: Answer): Answer => {
    for (const line of answer.headers["set-cookie"] ?? []) {
      const [pair = "", ...attributes] = line.split("; ");
      const name = pair.slice(0, pair.indexOf("="));
      const path = attributes.find((attribute) => attribute.startsWith("path="))?.slice(5) ?? "/";
      jar.set(name, { value: pair.slice(name.length + 1), path });
    }
    return answer;
  };
  const cookies = (path: string): Record<string, string> => {
    const sent = [...jar].filter(([, kept]) => path.startsWith(kept.path) && kept.value !== "");
    return sent.length === 0
      ? {}
      : { cookie: sent.map(([name, { value }]) => `${name}=${value}`).join("; ") };
  };
  const pathOf = (address: string): string => address.replace(base, "");
  const host = new URL(base).host;
  return {
    async get(address) {
      const path = pathOf(address);
      const headers = {
        accept: "text/html",
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
      };
      return keep(await ask(port, path, { headers: { ...headers, ...cookies(path), host } }));
    },
    async submit(address, fields) {
      const path = pathOf(address);
      const headers = { accept: "text/html", origin: base, host, "sec-fetch-site": "same-origin" };
      return keep(await postForm(port, path, fields, { ...headers, ...cookies(path) }));
    },
  };
}

export interface Authorization {
  readonly verifier: string;
  readonly state: string;
  readonly address: string;
}

/** `changes`: parameters of the request; null takes one out. */
export function createAuthorization(changes: Record<string, string | null> = {}): Authorization {
  const verifier = randomBytes(32).toString("base64url");
  const state = randomBytes(8).toString("base64url");
  const parameters = new URLSearchParams({
    response_type: "code",
    client_id: chatgptClient,
    redirect_uri: chatgptRedirect,
    scope: "read write",
    state,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    resource,
  });
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) parameters.delete(name);
    else parameters.set(name, value);
  }
  return { verifier, state, address: `/oauth/authorize?${parameters.toString()}` };
}

/** From the client's first redirect to the one back to it, typing the passcode on the way. */
export async function signIn(
  port: number,
  { address }: Authorization,
  fields: Record<string, string> = { write: "yes" },
  browser = createBrowser(port),
): Promise<URL> {
  const first = await browser.get(address);
  if (first.status !== 303) throw new Error(`no consent page: ${first.status} ${first.body}`);
  const page = String(first.headers.location);
  const shown = await browser.get(page);
  if (shown.status !== 200) throw new Error(`no consent page: ${shown.status}`);
  const sent = await browser.submit(page, { decision: "allow", passcode, ...fields });
  if (sent.status !== 303) throw new Error(`not let in: ${sent.status} ${sent.body}`);
  const resumed = await browser.get(String(sent.headers.location));
  if (resumed.status !== 303) throw new Error(`not sent back: ${resumed.status} ${resumed.body}`);
  return new URL(String(resumed.headers.location));
}

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly scope: string;
  readonly token_type: string;
}

export async function redeem(
  port: number,
  authorization: Authorization,
  back: URL,
  client: Record<string, string> = { client_id: chatgptClient, redirect_uri: chatgptRedirect },
): Promise<Answer> {
  return postForm(port, "/oauth/token", {
    grant_type: "authorization_code",
    code: back.searchParams.get("code") ?? "",
    code_verifier: authorization.verifier,
    resource,
    ...client,
  });
}

export async function refresh(
  port: number,
  refreshToken: string,
  client: Record<string, string> = { client_id: chatgptClient },
): Promise<Answer> {
  return postForm(port, "/oauth/token", {
    grant_type: "refresh_token",
    refresh_token: refreshToken,
    resource,
    ...client,
  });
}

/** The whole way, for tests that begin where it ends. */
export async function obtainTokens(
  port: number,
  changes: Record<string, string | null> = {},
): Promise<Tokens> {
  const authorization = createAuthorization(changes);
  const back = await signIn(port, authorization);
  const clientId = changes["client_id"] ?? chatgptClient;
  const redirect = changes["redirect_uri"] ?? chatgptRedirect;
  const answer = await redeem(port, authorization, back, { client_id: clientId, redirect_uri: redirect });
  if (answer.status !== 200) throw new Error(`no tokens: ${answer.status} ${answer.body}`);
  return JSON.parse(answer.body) as Tokens;
}

export async function callMcp(port: number, accessToken: string | null): Promise<Answer> {
  return ask(port, "/mcp", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(accessToken === null ? {} : { authorization: `Bearer ${accessToken}` }),
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "status", arguments: {} },
    }),
  });
}
