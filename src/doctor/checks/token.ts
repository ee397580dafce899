/** Do callers have a way to prove who they are, and does the running bridge take it? */
import { toEnvironmentName } from "../../config/names.ts";
import { broken, doubtful, fine, skipped, type Check } from "../check.ts";

export const token: Check = {
  name: "token",
  title: "credential",

  async run({ config, credential, storeProblems, mayAnybodyCall, bridge, probe }, signal) {
    if (!config.ok) return skipped("the configuration has to be right first");
    const { noAuth, token: own } = config.value;
    const [unread] = storeProblems;
    if (credential === null && unread !== undefined) {
      return broken(`what is kept cannot be read: ${unread}`, "repair that file, or unlock the keychain");
    }
    if (credential === null) {
      return (await mayAnybodyCall())
        ? fine("callers have their own; doctor knows none that it could send")
        : broken(
            "there is no token, no header secret and no sign-in: nobody could call",
            `export ${toEnvironmentName("token")}=$(openssl rand -hex 32)`,
          );
    }
    const what = noAuth ? "none is asked for" : own === undefined ? "the header secret" : "the token";
    if ((await bridge()).kind !== "running") return fine(`${what}; no bridge runs that could be asked`);
    const reply = await probe.send(
      {
        method: "POST",
        path: "/mcp",
        headers: { accept: "application/json, text/event-stream", ...credential.headers },
        body: { jsonrpc: "2.0", id: 1, method: "tools/list" },
      },
      signal,
    );
    if (reply.status === 401) {
      return broken(
        noAuth ? "the running bridge asks for a credential" : `the running bridge does not take ${what}`,
        "it was started with another one: restart it, and give the tunnel or ChatGPT the new one",
      );
    }
    if (reply.status === 429)
      return doubtful("too many wrong credentials came lately", "wait a minute and ask again");
    return noAuth
      ? doubtful("none is asked for: every program on this machine can use the bridge", "set a token")
      : fine(`the running bridge takes ${what}`);
  },
};
