/** Connects to the running bridge as ChatGPT does, in both eras of the protocol. */
import { broken, doubtful, fine, skipped, type Check } from "../check.ts";
import { playConnection } from "../chatgpt-connection.ts";

export const chatgptSequence: Check = {
  name: "chatgpt_sequence",
  title: "ChatGPT's way in",

  async run({ config, bridge, credential, probe, toolsFingerprint }, signal) {
    if (!config.ok) return skipped("the configuration has to be right first");
    if ((await bridge()).kind !== "running") return skipped("no bridge is running");
    if (credential === null)
      return skipped("doctor knows no credential to connect with; give it one with --token");
    const played = await playConnection(probe, credential, signal);
    if (!played.ok) {
      const { step, reason } = played.failure;
      const next = reason.startsWith("HTTP 401")
        ? "first what is said about the credential"
        : "restart the bridge; if it stays, report it with --bundle";
      return broken(`${step}: ${reason}`, next);
    }
    const { toolNames, fingerprint, steps } = played.value;
    if (fingerprint !== null && fingerprint !== (await toolsFingerprint())) {
      return doubtful(
        "the running bridge has another list of tools than this version",
        "restart the bridge, press Refresh in ChatGPT, and open a new conversation",
      );
    }
    return fine(`${steps} steps, ${toolNames.length} tools, no session needed`);
  },
};
