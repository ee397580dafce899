/** What the running bridge says of itself. */
import { doubtful, fine, skipped, type Check } from "../check.ts";
import { jsonOf } from "../probe.ts";

export const readiness: Check = {
  name: "readiness",
  title: "readiness",

  async run({ config, bridge, probe }, signal) {
    if (!config.ok) return skipped("the configuration has to be right first");
    if ((await bridge()).kind !== "running") return skipped("no bridge is running");
    const reply = await probe.send({ method: "GET", path: "/readyz" }, signal);
    if (reply.status === 200) return fine("the running bridge is ready");
    const { reason = "unknown" } = jsonOf(reply);
    return doubtful(
      `the running bridge is not ready: ${String(reason)}`,
      reason === "starting"
        ? "wait a moment and ask again"
        : "repair what the checks of Codex say; the bridge looks again by itself",
    );
  },
};
