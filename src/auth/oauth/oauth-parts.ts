/** What sign-in is made of: the owner's settings, where things are kept, and whom to tell. */
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { FetchDocument } from "./guarded-fetch.ts";

export interface OAuthSettings {
  readonly publicUrl: string;
  readonly oauthPasscode?: string | undefined;
  readonly oauthClientHosts: readonly string[];
  readonly oauthClients: readonly string[];
  readonly oauthClientSecret?: string | undefined;
  readonly oauthRegistration: boolean;
  readonly oauthRefreshGraceSeconds: number;
  readonly authIssuer?: string | undefined;
  readonly authAudience?: string | undefined;
  readonly authClients: readonly string[];
  readonly authSubjects: readonly string[];
}

/** What the owner decided on the consent page. */
export interface ConsentEvent {
  readonly requestId: string;
  readonly outcome: "granted" | "denied" | "wrong_passcode" | "too_many_attempts";
  readonly clientId: string;
  readonly scopes: readonly string[];
}

export interface OAuthParts {
  readonly settings: OAuthSettings;
  /** Where the sign-ins are kept; null: in memory. */
  readonly directory: string | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly onConsent: (event: ConsentEvent) => void;
  /** For tests: in place of the Internet. */
  readonly fetchDocument?: FetchDocument;
  readonly fetch?: typeof globalThis.fetch;
}
