import { scopesFor, type Caller } from "../caller.ts";

/** A token's scopes as the bridge has them: who may write may read; what it does not know grants nothing. */
export function parseScopes(scope: string): Caller["scopes"] {
  const named = new Set(scope.split(" "));
  if (named.has("write")) return scopesFor("write");
  return named.has("read") ? scopesFor("read") : [];
}
