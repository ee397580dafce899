/**
 * Stands before the bridge as a tunnel does, so that the public address is known before the bridge starts. Passes bytes
 * on as they come.
 */
import { connect, createServer, type AddressInfo } from "node:net";

export interface Front {
  readonly port: number;
  readonly url: string;
  /** To the bridge on this port of 127.0.0.1. */
  leadTo(port: number): void;
  close(): void;
}

export async function openFront(): Promise<Front> {
  let target = 0;
  const server = createServer((client) => {
    const bridge = connect(target, "127.0.0.1");
    client.pipe(bridge).pipe(client);
    for (const [one, other] of [
      [client, bridge],
      [bridge, client],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    leadTo(bridgePort) {
      target = bridgePort;
    },
    close() {
      server.close();
    },
  };
}
