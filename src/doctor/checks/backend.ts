/** Does Codex answer its handshake through the driver that this configuration picks? */
import { HOME_REMEDY } from "../../codex/home-problem.ts";
import { broken, fine, skipped, type Check } from "../check.ts";

export const backend: Check = {
  name: "backend",
  title: "backend",

  async run({ config, codex }) {
    if (!config.ok) return skipped("the configuration has to be right first");
    if (!(await codex.find()).ok) return skipped("there is no Codex that could be used");
    const wrongHome = await codex.homeProblem();
    if (wrongHome !== null) return broken(`CODEX_HOME (${wrongHome.path}) ${wrongHome.problem}`, HOME_REMEDY);
    const connected = await codex.connect();
    if (connected.ok || connected.failure.code === "codex_not_logged_in") {
      return fine(`${codex.picked().backend ?? "none"}: ${codex.picked().why}`);
    }
    const why = "reason" in connected.failure ? connected.failure.reason : connected.failure.code;
    const isChoice = config.value.backend !== "auto";
    return broken(
      why,
      isChoice
        ? "leave the choice to the bridge: --backend auto"
        : "see what Codex itself says: codex doctor",
    );
  },
};
