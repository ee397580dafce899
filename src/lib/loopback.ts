/** Names of this machine for itself, as they are listened on and as they stand in a URL. */
const NAMES: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "[::1]", "localhost"]);

export function isLoopback(host: string): boolean {
  return NAMES.has(host);
}
