/** Who answers where this configuration listens? */
import { broken, doubtful, fine, skipped, type Check } from "../check.ts";

export const port: Check = {
  name: "port",
  title: "port",

  async run({ config, version, state, bridge }) {
    if (!config.ok) return skipped("the configuration has to be right first");
    const sight = await bridge();
    switch (sight.kind) {
      case "running":
        return sight.version === version
          ? fine(`a bridge answers on ${sight.url}`)
          : doubtful(
              `the bridge on ${sight.url} is version ${sight.version}, this is ${version}`,
              "restart the bridge, then press Refresh in ChatGPT",
            );
      case "absent":
        return (await state()).isLocked
          ? broken(
              `a bridge works on the state directory, but none answers on ${sight.url}`,
              "run doctor with the settings of that bridge (--port, --host)",
            )
          : doubtful(`free; no bridge is running on ${sight.url}`, "start one: codex-gpt-bridge serve");
      case "stranger":
        return broken(
          `another program answers on ${sight.url}`,
          "choose another port with --port, for the bridge and for its tunnel",
        );
      case "unreachable":
        return broken(`${sight.url}: ${sight.reason}`, "see whether the bridge hangs, and restart it");
      case "unknown_port":
        return skipped("port 0 is another one at each start; run doctor with --port");
    }
  },
};
