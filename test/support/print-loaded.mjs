// Preloaded into a process (`--import`): prints, at its end, which modules it has loaded.
import { registerHooks } from "node:module";

const loaded = [];
registerHooks({
  load(url, context, nextLoad) {
    loaded.push(url);
    return nextLoad(url, context);
  },
});
process.on("exit", () => {
  process.stderr.write(`loaded ${JSON.stringify(loaded)}\n`);
});
