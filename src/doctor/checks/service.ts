/** Does the system keep the bridge running, where the owner asked it to? */
import { doubtful, fine, skipped, type Check } from "../check.ts";

export const service: Check = {
  name: "service",
  title: "service",

  async run({ config, service: look }) {
    if (!config.ok) return skipped("the configuration has to be right first");
    const sight = await look();
    if (sight.kind === "none") return skipped(sight.why);
    return sight.isRunning
      ? fine(`installed, ${sight.state}`)
      : doubtful(
          `installed, and does not run (${sight.state})`,
          "codex-gpt-bridge service logs, then service start",
        );
  },
};
