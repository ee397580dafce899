/** Is Codex logged in, as Codex itself tells it of the provider that it is set up for? */
import { broken, doubtful, fine, skipped, type Check } from "../check.ts";

export const login: Check = {
  name: "login",
  title: "Codex login",

  async run({ config, codex }) {
    if (!config.ok) return skipped("the configuration has to be right first");
    if (!(await codex.find()).ok) return skipped("there is no Codex that could be used");
    const connected = await codex.connect();
    if (!connected.ok) {
      return connected.failure.code === "codex_not_logged_in"
        ? broken("Codex is not logged in", "log in: codex login")
        : skipped("Codex does not answer");
    }
    if (connected.value.loggedIn === true) return fine("Codex has what its provider asks for");
    return doubtful("Codex could not tell whether it is logged in", "if turns fail: codex login");
  },
};
