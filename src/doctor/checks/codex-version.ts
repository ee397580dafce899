/** Is there a Codex on this machine, and can this bridge drive it? */
import { CODEX_IN_PROJECT } from "../../codex/install.ts";
import { broken, fine, skipped, type Check } from "../check.ts";

export const codexVersion: Check = {
  name: "codex",
  title: "Codex",

  async run({ config, codex }) {
    if (!config.ok) return skipped("the configuration has to be right first");
    const found = await codex.find();
    if (found.ok) return fine(`${found.value.version} (${found.value.command})`);
    if (found.failure.code === "codex_not_found") {
      return broken(
        `there is no ${config.value.codex} on PATH`,
        "install it (npm install -g @openai/codex), or name it with --codex",
      );
    }
    const why = "reason" in found.failure ? found.failure.reason : found.failure.code;
    if (why === CODEX_IN_PROJECT)
      return broken(why, "install Codex outside your projects: npm install -g @openai/codex");
    return broken(why, "update Codex: npm install -g @openai/codex");
  },
};
