/** What every adapter of TunnelProvider promises, whatever carries its calls. */
import { describe, expect, test } from "vitest";
import type { OpenTunnel, TunnelEvent, TunnelProvider } from "../../src/tunnel/provider.ts";

export interface TunnelUnderTest {
  readonly provider: TunnelProvider;
  /** Where a bridge would listen. */
  readonly url: string;
  /** Null where requests are addressed to loopback. */
  readonly host: RegExp | null;
  /** Ends what carries the calls, as a crash would. */
  readonly crash: () => void;
  readonly crashReason: RegExp;
  /** Whether anything of the tunnel still runs. */
  readonly isRunning: () => Promise<boolean>;
}

const PATIENCE = { timeout: 15_000 };

export function testTunnelProvider(name: string, make: () => Promise<TunnelUnderTest>): void {
  describe(`the tunnel of ${name}`, () => {
    async function open(under: TunnelUnderTest): Promise<{ tunnel: OpenTunnel; events: TunnelEvent[] }> {
      const events: TunnelEvent[] = [];
      const { signal } = new AbortController();
      expect(await under.provider.check(signal)).toMatchObject({ ok: true });
      const opened = await under.provider.open(under.url, (event) => events.push(event), signal);
      if (!opened.ok) throw new Error(opened.failure.why);
      await expect.poll(() => events.map(({ type }) => type), PATIENCE).toContain("ready");
      return { tunnel: opened.value, events };
    }

    test("it says under which host it is reached, and when it is ready", async () => {
      const under = await make();
      const { tunnel, events } = await open(under);
      const hosts = events.filter((event) => event.type === "host").map(({ host }) => host);
      if (under.host === null) expect(hosts).toEqual([]);
      else expect(hosts.at(-1)).toMatch(under.host);
      await tunnel.close();
    });

    test("closing ends everything, twice is one end, and no event comes after it", async () => {
      const under = await make();
      const { tunnel, events } = await open(under);
      expect(await under.isRunning()).toBe(true);
      await Promise.all([tunnel.close(), tunnel.close()]);
      const heard = events.length;
      expect(typeof (await tunnel.ended)).toBe("string");
      expect(await under.isRunning()).toBe(false);
      expect(events).toHaveLength(heard);
    });

    test("a crash settles its end with the reason, and leaves nothing", async () => {
      const under = await make();
      const { tunnel } = await open(under);
      under.crash();
      expect(await tunnel.ended).toMatch(under.crashReason);
      expect(await under.isRunning()).toBe(false);
      await tunnel.close();
    });

    test("it can be opened again after its end", async () => {
      const under = await make();
      const first = await open(under);
      await first.tunnel.close();
      const second = await open(under);
      expect(await under.isRunning()).toBe(true);
      await second.tunnel.close();
    });

    test("what is not wanted any more is not opened", async () => {
      const under = await make();
      expect((await under.provider.check(new AbortController().signal)).ok).toBe(true);
      const opened = await under.provider.open(under.url, () => {}, AbortSignal.abort());
      expect(opened).toMatchObject({ ok: false, failure: { isFinal: false } });
      expect(await under.isRunning()).toBe(false);
    });
  });
}
