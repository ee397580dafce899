/** Clients that do not belong here, in every manner that costs a server something, each as fast as it is answered. */
import { once } from "node:events";
import { Agent, request, type IncomingMessage } from "node:http";
import { connect } from "node:net";

export interface HostileCrowd {
  /** Gives back how many answers they got. */
  stop(): number;
}

const call =
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"bridge_status","arguments":{}}}';
const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const wrong = { ...json, authorization: "Bearer this-is-not-the-token-that-you-are-looking-for" };
const head = `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAuthorization: Bearer wrong\r\n`;

interface Polite {
  readonly method?: string;
  readonly path?: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly anew?: boolean;
}

/** Requests that are HTTP. */
const requests: readonly Polite[] = [
  { headers: wrong, body: call },
  { headers: wrong, body: call, anew: true },
  { headers: json, body: call },
  { headers: { ...wrong, host: "evil.example" }, body: call },
  { headers: { ...wrong, origin: "https://evil.example" }, body: call },
  { headers: json, body: " ".repeat(2 * 1024 * 1024) },
  { headers: wrong, body: "[".repeat(45_000) },
  { method: "GET", path: "/../../etc/passwd", headers: {} },
];

/** Bytes that are not, or not quite. */
const bytes: readonly string[] = [
  "GARBAGE\r\n\r\n",
  `${head}Content-Length: 100\r\n\r\n{`,
  `${head}X-Slow: `,
  `${head}Content-Length: ${call.length}\r\n\r\n${call}`.repeat(50),
];

export function startHostileCrowd(port: number, clients: number): HostileCrowd {
  const stopping = new AbortController();
  let answers = 0;

  async function ask(polite: Polite, kept: Agent): Promise<void> {
    const { method = "POST", path = "/mcp", headers, body = "", anew = false } = polite;
    const agent = anew ? false : kept;
    const outgoing = request({ agent, host: "127.0.0.1", port, method, path, headers });
    outgoing.end(body);
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    response.resume();
    await once(response, "close");
  }

  async function write(text: string): Promise<void> {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.on("data", () => {});
    socket.write(text);
    const giveUp = setTimeout(() => socket.destroy(), 5_000);
    await once(socket, "close");
    clearTimeout(giveUp);
  }

  async function live(index: number): Promise<void> {
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    const kind = index % (requests.length + bytes.length);
    while (!stopping.signal.aborted) {
      const polite = requests[kind];
      const knock = polite === undefined ? write(bytes[kind - requests.length] ?? "") : ask(polite, kept);
      await knock.catch(() => {}); // being cut off is no reason to stop
      answers += 1;
    }
    kept.destroy();
  }

  for (let index = 0; index < clients; index += 1) void live(index);
  return {
    stop() {
      stopping.abort();
      return answers;
    },
  };
}
