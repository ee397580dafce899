/** What a refused caller is told to bring: values of `WWW-Authenticate` (RFC 6750 3, RFC 9728 5.1). Pure. */
import { scopeNames, scopesFor, type Scope } from "./caller.ts";

export interface Challenges {
  readonly noCredential: string;
  readonly wrongCredential: string;
  /** MCP 2026-07-28, authorization: the scopes to ask for anew, with those that the caller has already. */
  readonly insufficientScope: (needs: Scope) => string;
}

/** `resourceMetadata`: where the OAuth metadata of this bridge is, or null where there is no OAuth. */
export function createChallenges(resourceMetadata: string | null): Challenges {
  const isOAuth = resourceMetadata !== null;
  const where = isOAuth ? [`resource_metadata="${resourceMetadata}"`] : [];
  const whole = isOAuth ? [scopeParameter(scopeNames)] : [];
  return {
    noCredential: bearer([...where, ...whole]),
    wrongCredential: bearer([
      'error="invalid_token"',
      'error_description="The credential is not valid, or no longer."',
      ...where,
      ...whole,
    ]),
    insufficientScope: (needs) =>
      bearer([
        'error="insufficient_scope"',
        `error_description="This needs the scope ${needs}."`,
        scopeParameter(scopesFor(needs)),
        ...where,
      ]),
  };
}

function bearer(parameters: readonly string[]): string {
  return `Bearer ${['realm="codex-gpt-bridge"', ...parameters].join(", ")}`;
}

function scopeParameter(scopes: readonly Scope[]): string {
  return `scope="${scopes.join(" ")}"`;
}
