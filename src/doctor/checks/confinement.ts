/** Is what a turn may see and do held by the operating system here? Tried with a real turn where it was not yet. */
import { broken, doubtful, fine, skipped, type Check } from "../check.ts";

export const confinement: Check = {
  name: "confinement",
  title: "confinement",

  async run({ config, codex }) {
    if (!config.ok) return skipped("the configuration has to be right first");
    if (!(await codex.find()).ok) return skipped("there is no Codex that could be used");
    const connected = await codex.connect();
    if (!connected.ok) return skipped("Codex does not answer, or is not logged in");
    const verdict = await codex.prove(connected.value);
    if (verdict.state === "proven") return fine("proven on this machine, with this Codex");
    const reason = `not proven: ${verdict.reason}`;
    return config.value.confinement === "required"
      ? broken(reason, "docs/security.md says what Codex's sandbox needs of this machine")
      : doubtful(reason, "read-only turns start all the same; docs/security.md says what is missing");
  },
};
