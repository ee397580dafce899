/** The environment of a tunnel program: what it needs to run and to reach its service, and what it is given by name. */

type Environment = Readonly<Record<string, string | undefined>>;

const NEEDED = new Set([
  "HOME",
  "PATH",
  "USER",
  "LOGNAME",
  "LANG",
  "TZ",
  "TMPDIR",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "ALL_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "all_proxy",
  "no_proxy",
]);

/** `also`: names, and prefixes that end in `_`. */
export function toProgramEnvironment(
  environment: Environment,
  also: readonly string[],
): Record<string, string> {
  const prefixes = ["LC_", ...also.filter((name) => name.endsWith("_"))];
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || value === "") continue;
    const isWanted =
      NEEDED.has(name) || also.includes(name) || prefixes.some((prefix) => name.startsWith(prefix));
    if (isWanted) result[name] = value;
  }
  return result;
}
