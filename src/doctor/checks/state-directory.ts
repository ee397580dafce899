/** Can the state directory be used, and is it kept from others? */
import { broken, doubtful, fine, skipped, type Check } from "../check.ts";

export const stateDirectory: Check = {
  name: "state_dir",
  title: "state directory",

  async run({ config, state }) {
    if (!config.ok) return skipped("the configuration has to be right first");
    const { directory, kind, mode, isLocked, problem } = await state();
    if (problem !== null) return broken(problem, "make it usable, or choose another with --state-dir");
    if (kind === "missing") return fine(`${directory}, which the first start makes`);
    if (mode !== null && (mode & 0o077) !== 0) {
      return doubtful(`${directory} can be read by others`, `chmod 700 ${directory}`);
    }
    return fine(isLocked ? `${directory}, a bridge works on it now` : directory);
  },
};
