import { describe, expect, it } from "vitest";
import { createAdmission } from "../../src/auth/admission.ts";
import { createAuthenticate } from "../../src/auth/bearer.ts";

const token = "a-token-of-at-least-32-characters-000";
const home = "127.0.0.1";

function start(limits: { requestsPerMinute?: number; failedAuthPerMinute?: number } = {}) {
  let now = 0;
  const admit = createAdmission({
    authenticate: createAuthenticate({ token, noAuth: false, headerSecret: null }),
    requestsPerMinute: 0,
    failedAuthPerMinute: 0,
    monotonic: () => now,
    ...limits,
  });
  return {
    pass: (ms: number): void => {
      now += ms;
    },
    ask: async (sent: string | null, peer = home): Promise<string> => {
      const headers = sent === null ? {} : { authorization: `Bearer ${sent}` };
      const verdict = await admit(new Request("http://x/mcp", { headers }), peer);
      return verdict.ok ? "in" : verdict.failure.code;
    },
  };
}

async function times(count: number, ask: () => Promise<string>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let index = 0; index < count; index += 1) {
    const outcome = await ask();
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

describe("wrong credentials", () => {
  it("are told so 50 times, then to wait; the right one works all along", async () => {
    const { ask } = start({ failedAuthPerMinute: 50 });
    const wrong = await times(100, async () => ask(`guess-${Math.random()}`));
    expect(wrong).toEqual({ wrong_credential: 50, too_many_requests: 50 });
    expect(await times(200, async () => ask(token))).toEqual({ in: 200 });
    expect(await ask("guess")).toBe("too_many_requests");
  });

  it("may go on at their pace when time has passed", async () => {
    const { ask, pass } = start({ failedAuthPerMinute: 60 });
    await times(61, async () => ask("guess"));
    pass(1_000);
    expect([await ask("guess"), await ask("guess")]).toEqual(["wrong_credential", "too_many_requests"]);
  });

  it.each([
    ["another address", "192.0.2.7", "192.0.2.8", "wrong_credential"],
    ["the same address in IPv6's clothes", "192.0.2.7", "::ffff:192.0.2.7", "too_many_requests"],
    ["another host of the same IPv6 network", "2001:db8:1:2::1", "2001:db8:1:2:aaaa::9", "too_many_requests"],
    ["the same network written short", "2001:db8:0:0:1::1", "2001:db8::7:7:7:7", "too_many_requests"],
    ["another IPv6 network", "2001:db8:1:2::1", "2001:db8:1:3::1", "wrong_credential"],
    ["IPv6's own loopback", "::1", "::1", "too_many_requests"],
  ])("of %s are counted as they should be", async (_name, first, second, outcome) => {
    const { ask } = start({ failedAuthPerMinute: 1 });
    await ask("guess", first);
    expect(await ask("guess", second)).toBe(outcome);
  });

  it("do not use up what a missing one is told: a client that has none yet learns what to bring", async () => {
    const { ask } = start({ failedAuthPerMinute: 1 });
    await times(5, async () => ask("guess"));
    expect(await times(100, async () => ask(null))).toEqual({ no_credential: 100 });
  });
});

describe("a caller", () => {
  it("may come so often a minute, whatever the address, and is then told how long to wait", async () => {
    const { ask, pass } = start({ requestsPerMinute: 1_200 });
    let host = 0;
    const counts = await times(1_300, async () => ask(token, `192.0.2.${(host += 1) % 250}`));
    expect(counts).toEqual({ in: 1_200, too_many_requests: 100 });
    pass(50);
    expect(await ask(token)).toBe("in");
  });
});
