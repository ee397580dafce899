/** Does the running bridge turn away what it has to? Sends nothing that could start a job. */
import { broken, fine, skipped, type Check } from "../check.ts";
import type { ProbeReply, ProbeRequest } from "../probe.ts";

interface Attack {
  readonly what: string;
  readonly request: ProbeRequest;
  readonly isRefused: (reply: ProbeReply) => boolean;
}

const HARMLESS = { jsonrpc: "2.0", id: 1, method: "tools/list" };
const post = (headers: Record<string, string>): ProbeRequest => ({
  method: "POST",
  path: "/mcp",
  headers: { accept: "application/json, text/event-stream", ...headers },
  body: HARMLESS,
});

const ATTACKS: readonly Attack[] = [
  {
    what: "a request for another host name",
    request: post({ host: "attacker.example" }),
    isRefused: ({ status }) => status === 403,
  },
  {
    what: "a request of a web page",
    request: post({ origin: "https://attacker.example" }),
    isRefused: ({ status }) => status === 403,
  },
  {
    what: "a GET, which asks for a stream",
    request: { method: "GET", path: "/mcp", headers: { accept: "text/event-stream" } },
    isRefused: ({ status, headers }) => status === 405 && headers["allow"] === "POST",
  },
];

const WITHOUT_CREDENTIAL: Attack = {
  what: "a request without a credential",
  request: post({}),
  isRefused: ({ status }) => status === 401,
};

export const httpGuard: Check = {
  name: "http_guard",
  title: "HTTP guard",

  async run({ config, bridge, probe }, signal) {
    if (!config.ok) return skipped("the configuration has to be right first");
    if ((await bridge()).kind !== "running") return skipped("no bridge is running");
    const attacks = config.value.noAuth ? ATTACKS : [...ATTACKS, WITHOUT_CREDENTIAL];
    for (const { what, request, isRefused } of attacks) {
      const reply = await probe.send(request, signal);
      if (!isRefused(reply) || reply.headers["x-request-id"] === undefined) {
        return broken(
          `${what} was answered with ${reply.status}`,
          "something else sits before the bridge, or it was started with other settings: restart it",
        );
      }
    }
    return fine(`${attacks.length} requests that nobody should send were refused`);
  },
};
