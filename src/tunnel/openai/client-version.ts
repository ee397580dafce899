/** Which tunnel-client is new enough. Pure. */

/**
 * Older ones lose a connector without authentication: ChatGPT begins with `server/discover`, and the client before
 * 0.0.14 answers it so that ChatGPT connects again and again (openai/tunnel-client issue 41); 0.0.13 also sends some
 * answers to the wrong channel (issue 54).
 */
export const OLDEST_CLIENT = "0.0.14";

export type VersionVerdict = "fits" | "too-old" | "development" | "unknown";

/** `printed`: what `tunnel-client --version` prints. */
export function judgeClientVersion(printed: string): { version: string; verdict: VersionVerdict } {
  const [version] = /\d+\.\d+\.\d+(?:-[\w.]+)?/.exec(printed) ?? [];
  if (version === undefined) return { version: printed.trim().slice(0, 40), verdict: "unknown" };
  // What is built from the sources without a release calls itself 0.0.0-dev: its version tells nothing.
  if (version.startsWith("0.0.0")) return { version, verdict: "development" };
  const numbers = version.split(/[.-]/, 3).map(Number);
  const oldest = OLDEST_CLIENT.split(".").map(Number);
  for (const [index, wanted] of oldest.entries()) {
    const part = numbers[index] ?? 0;
    if (part !== wanted) return { version, verdict: part < wanted ? "too-old" : "fits" };
  }
  return { version, verdict: "fits" };
}
