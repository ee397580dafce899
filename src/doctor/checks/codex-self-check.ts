/**
 * What `codex doctor` finds in places that only Codex knows. Single checks are read, not its exit code: it fails for an
 * update that is due, and the login is asked of the provider itself (login.ts).
 */
import type { SelfCheck } from "../../codex/self-check.ts";
import { doubtful, fine, skipped, type Check } from "../check.ts";

const WORTH_TELLING = [
  "config.load",
  "network.provider_reachability",
  "network.env",
  "sandbox.helpers",
  "state.paths",
  "system.disk",
] as const;

const LONGEST_MS = 10_000;

export const codexSelfCheck: Check = {
  name: "codex_doctor",
  title: "codex doctor",

  async run({ config, codex }, signal) {
    if (!config.ok) return skipped("the configuration has to be right first");
    const found = await codex.find();
    if (!found.ok) return skipped("there is no Codex that could be used");
    const limit = AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)]);
    const said = await codex.selfCheck(found.value, limit);
    if (said === null)
      return doubtful("it gave no answer that can be read", "see for yourself: codex doctor");
    const bad = WORTH_TELLING.map((name) => said.get(name)).filter((check) => isBad(check));
    const [first] = bad;
    if (first === undefined) return fine(`${said.size} checks, none against working`);
    const reasons = bad.map((check) => check?.summary).join("; ");
    return doubtful(`Codex says: ${reasons}`, first.remediation ?? "see the details: codex doctor");
  },
};

function isBad(check: SelfCheck | undefined): check is SelfCheck {
  return check?.status === "fail" || check?.status === "error";
}
