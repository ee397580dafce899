/** Does the address that ChatGPT has been told lead to this bridge? Asks it over the internet, as ChatGPT would. */
import { broken, doubtful, fine, skipped, type Check, type Finding } from "../check.ts";
import { isRecord } from "../probe.ts";

const ASK_MS = 8_000;
const ADVICE = "see that the tunnel is open and leads to the port of the bridge";

export const publicUrl: Check = {
  name: "public_url",
  title: "public address",

  async run({ config, version, bridge }, signal) {
    if (!config.ok) return skipped("the configuration has to be right first");
    const { publicUrl: origin } = config.value;
    if (origin === undefined) return skipped("none is set");
    const isRunning = (await bridge()).kind === "running";
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]);
      const response = await fetch(`${origin}/healthz`, {
        signal: limit,
        redirect: "manual",
        headers: { accept: "application/json" },
      });
      return judge(origin, response, version);
    } catch (error) {
      if (!isRunning) return doubtful(`${origin} does not answer; no bridge is running here`, ADVICE);
      return broken(`${origin} cannot be reached from here: ${reasonOf(error)}`, ADVICE);
    }
  },
};

async function judge(origin: string, response: Response, version: string): Promise<Finding> {
  const body: unknown = await response.json().catch(() => null);
  const answer = isRecord(body) ? body : {};
  if (response.ok && answer["name"] === "codex-gpt-bridge") {
    return answer["version"] === version
      ? fine(`${origin} leads to a bridge of this version`)
      : doubtful(`${origin} leads to a bridge of version ${String(answer["version"])}`, "restart the bridge");
  }
  const error = isRecord(answer["error"]) ? answer["error"]["code"] : null;
  if (error === "foreign_host") {
    return broken(
      `the bridge does not know that it is called ${origin}`,
      "restart it with the same public_url",
    );
  }
  return broken(
    `${origin} answered ${response.status}, and not as a bridge does: a page of the tunnel's provider, perhaps`,
    ADVICE,
  );
}

/** `fetch` hides why it failed in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError" || error.name === "AbortError") return "no answer in time";
  const { cause } = error;
  return cause instanceof Error && "code" in cause ? String(cause.code) : error.message;
}
