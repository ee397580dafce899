/**
 * The one door to a sign-in: shows who asks for what, and lets a client in when the owner types the passcode. Nothing
 * that was granted before, and no cookie, stands in for it.
 */
import { ServerResponse, type IncomingMessage } from "node:http";
import { errors, type Client, type ClientMetadata, type Provider } from "oidc-provider";
import { ownerSubject, scopeNames } from "../caller.ts";
import type { Attempts } from "./attempts.ts";
import { consentPage, pageHeaders, problemPage, type ConsentView } from "./consent-page.ts";
import type { ConsentEvent } from "./oauth-parts.ts";

type Interaction = Awaited<ReturnType<Provider["interactionDetails"]>>;

const MAX_FORM_BYTES = 8 * 1024;
/** A longer one would push who asks off the screen. */
const MAX_NAME_CHARACTERS = 200;

export interface ConsentParts {
  readonly provider: Provider;
  readonly resource: string;
  readonly attempts: Attempts;
  readonly isPasscode: (typed: string) => Promise<boolean>;
  /** Ids of the clients that the owner named. */
  readonly knownClients: ReadonlySet<string>;
  /** Whether the bridge made the passcode, so that the page can say where it is. */
  readonly madePasscode: boolean;
  /** What the owner decided, for the log and the audit. */
  readonly onOutcome: (event: Omit<ConsentEvent, "requestId">) => void;
}

/** Answers a request to the consent page; never throws for what a browser may send. */
export async function answerConsent(
  parts: ConsentParts,
  incoming: IncomingMessage,
  target: string,
): Promise<Response> {
  const { provider } = parts;
  const asked = await interactionOf(provider, incoming, target);
  if (asked === null)
    return problem(400, "This page is no longer valid. Start again from the app that you are connecting.");
  const clientId = String(asked.params["client_id"]);
  const client = await findClient(provider, clientId);
  if (client === null)
    return problem(400, "The app that asked is not known any more. Start again from there.");
  const view = toView(parts, client.metadata(), asked, target);
  if (incoming.method !== "POST") return show(200, view, asked);

  const form = await readForm(incoming);
  if (form === null) return problem(400, "The form did not arrive. Go back and try again.");
  if (form.get("decision") !== "allow") {
    parts.onOutcome({ outcome: "denied", clientId, scopes: [] });
    return finish({ error: "access_denied", error_description: "the owner refused" });
  }
  const waitMs = parts.attempts.begin();
  if (waitMs > 0) {
    parts.onOutcome({ outcome: "too_many_attempts", clientId, scopes: [] });
    const seconds = Math.ceil(waitMs / 1000);
    const unit = seconds === 1 ? "second" : "seconds";
    const refused = show(
      429,
      { ...view, problem: `Too many wrong passcodes. Try again in ${seconds} ${unit}.` },
      asked,
    );
    refused.headers.set("retry-after", String(seconds));
    return refused;
  }
  if (!(await isRight(form.get("passcode") ?? ""))) {
    parts.onOutcome({ outcome: "wrong_passcode", clientId, scopes: [] });
    return show(403, { ...view, problem: "That is not the passcode of this bridge." }, asked);
  }
  const scopes = scopeNames.filter(
    (scope) => isAsked(asked, scope) && (scope !== "write" || form.get("write") === "yes"),
  );
  if (scopes.length === 0) {
    return show(
      400,
      { ...view, problem: "It asks for nothing but to write. Tick the box, or refuse." },
      asked,
    );
  }
  const grantId = await grant(clientId, scopes, asked);
  parts.onOutcome({ outcome: "granted", clientId, scopes });
  return finish({ login: { accountId: ownerSubject, remember: false }, consent: { grantId } });

  async function isRight(typed: string): Promise<boolean> {
    let right = false;
    try {
      right = typed !== "" && (await parts.isPasscode(typed));
      return right;
    } finally {
      if (right) parts.attempts.right();
      else parts.attempts.wrong();
    }
  }

  async function grant(
    client_: string,
    scopes_: readonly string[],
    { params }: Interaction,
  ): Promise<string> {
    const made = new provider.Grant({ accountId: ownerSubject, clientId: client_ });
    for (const scope of scopesOf(params)) {
      if (scope === "write" && !scopes_.includes(scope)) {
        made.rejectOIDCScope(scope);
        made.rejectResourceScope(parts.resource, scope);
      } else {
        made.addOIDCScope(scope);
        if (scopes_.includes(scope)) made.addResourceScope(parts.resource, scope);
      }
    }
    return made.save();
  }

  async function finish(result: Parameters<Provider["interactionResult"]>[2]): Promise<Response> {
    const location = await provider.interactionResult(incoming, new ServerResponse(incoming), result, {
      mergeWithLastSubmission: false,
    });
    return new Response(null, { status: 303, headers: { location, "cache-control": "no-store" } });
  }
}

/** null where it is gone, or its document cannot be had any more. */
async function findClient(provider: Provider, clientId: string): Promise<Client | null> {
  try {
    return (await provider.Client.find(clientId)) ?? null;
  } catch (error) {
    if (error instanceof errors.OIDCProviderError) return null;
    throw error;
  }
}

function toView(
  { knownClients, madePasscode }: ConsentParts,
  client: ClientMetadata,
  asked: Interaction,
  target: string,
): ConsentView {
  const host = client.client_id.startsWith("https:") ? URL.parse(client.client_id)?.hostname : undefined;
  const returnsTo = URL.parse(String(asked.params["redirect_uri"]));
  return {
    name: (client.client_name ?? host ?? client.client_id).slice(0, MAX_NAME_CHARACTERS),
    identity:
      host ?? (knownClients.has(client.client_id) ? client.client_id : "an app that registered itself"),
    returnsTo: returnsTo?.host ?? "",
    asksToWrite: isAsked(asked, "write"),
    action: new URL(target, "http://localhost").pathname,
    problem: null,
    madePasscode,
  };
}

function isAsked({ params }: Interaction, scope: string): boolean {
  return scopesOf(params).includes(scope);
}

function scopesOf({ scope }: Interaction["params"]): string[] {
  return typeof scope === "string" ? scope.split(" ") : [];
}

/** The request that this browser began, by its cookie; null where there is none, or no longer. */
async function interactionOf(
  provider: Provider,
  incoming: IncomingMessage,
  target: string,
): Promise<Interaction | null> {
  try {
    const found = await provider.interactionDetails(incoming, new ServerResponse(incoming));
    return target.split("?")[0]?.endsWith(`/${found.uid}`) === true ? found : null;
  } catch (error) {
    if (error instanceof errors.SessionNotFound) return null;
    throw error;
  }
}

/** null for what is no form, or too large for this one. */
async function readForm(incoming: IncomingMessage): Promise<URLSearchParams | null> {
  const type = incoming.headers["content-type"] ?? "";
  if (!/^application\/x-www-form-urlencoded(?:;|$)/i.test(type)) return null;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_FORM_BYTES) return null;
    chunks.push(bytes);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
}

function show(status: number, view: ConsentView, { params }: Interaction): Response {
  // A browser also checks where the answer to the form sends it.
  const returnsTo = URL.parse(String(params["redirect_uri"]))?.origin;
  return new Response(consentPage(view), {
    status,
    headers: pageHeaders(returnsTo === undefined ? [] : [returnsTo]),
  });
}

function problem(status: number, message: string): Response {
  return new Response(problemPage(message), { status, headers: pageHeaders([]) });
}
