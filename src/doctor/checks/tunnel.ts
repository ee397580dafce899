/** Is the way from ChatGPT to this machine open, or could it be opened? */
import { broken, doubtful, fine, skipped, type Check } from "../check.ts";

export const tunnel: Check = {
  name: "tunnel",
  title: "tunnel",

  async run({ config, tunnel: look, bridge }, signal) {
    if (!config.ok) return skipped("the configuration has to be right first");
    const { tunnel: name } = config.value;
    const sight = await look(signal);
    switch (sight.kind) {
      case "none":
        return skipped("none is set; the bridge opens none");
      case "impossible":
        return broken(
          sight.problems.join("; "),
          "install or set what is missing; codex-gpt-bridge setup asks for it",
        );
      case "closed":
        return (await bridge()).kind === "running"
          ? broken(`no ${name} tunnel is open`, `open both: codex-gpt-bridge serve --tunnel ${name}`)
          : fine(`${name} can be opened; no bridge is running`);
      case "open":
        return sight.ready === false
          ? doubtful(
              "it is open, and its program says that it is not ready",
              "wait a minute, then see the bridge's log",
            )
          : fine(sight.ready === null ? "open" : "open, and its program says that it is ready");
    }
  },
};
