/** Reads what `tunnel-client doctor --json` found, and tells what stops a tunnel from what does not. Pure. */
import { z } from "zod";

const doctorReport = z.looseObject({
  checks: z.array(
    z.looseObject({
      id: z.string(),
      status: z.string(),
      summary: z.string().catch(""),
      next: z.array(z.string()).catch([]),
    }),
  ),
});

export interface DoctorFinding {
  readonly check: string;
  readonly summary: string;
  /** What the owner can do, or why there is nothing to do. */
  readonly advice: string;
  /** `blocks`: no start makes sense; `look`: may pass by itself; `harmless`: belongs to a tunnel without OAuth. */
  readonly weight: "blocks" | "look" | "harmless";
}

/** A wrong profile, key or tunnel id does not become right by trying again. */
const BLOCKING = new Set([
  "config_source",
  "profile_load",
  "config_validation",
  "tunnel_id",
  "control_plane_api_key",
  "control_plane_base_url",
  "mcp_target",
]);

const HARMLESS: Readonly<Record<string, string>> = {
  oauth_metadata:
    "harmless: ChatGPT uses this tunnel with No authentication, so the bridge offers no OAuth metadata; the secret header says who calls",
  codex_plugin: "harmless: the tunnel needs no plugin in Codex",
  ui: "harmless: the bridge does not use the client's own pages",
};

/** Null where this is no report. */
export function readDoctorReport(text: string): DoctorFinding[] | null {
  const parsed = parseReport(text);
  if (parsed === null) return null;
  return parsed.checks
    .filter(({ status }) => status.toUpperCase() === "FAIL")
    .map(({ id, summary, next }) => {
      const harmless = HARMLESS[id];
      if (harmless !== undefined) return { check: id, summary, advice: harmless, weight: "harmless" };
      return { check: id, summary, advice: next[0] ?? "", weight: BLOCKING.has(id) ? "blocks" : "look" };
    });
}

function parseReport(text: string): z.output<typeof doctorReport> | null {
  try {
    return doctorReport.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
