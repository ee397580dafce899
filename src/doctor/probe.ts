/**
 * Plain HTTP to the bridge of this machine, with every header as the check wants it (`fetch` would set Host itself).
 * Keeps no connection, follows no redirect, reads at most 1 MiB.
 */
import { request as httpRequest } from "node:http";

export interface ProbeRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
}

export interface ProbeReply {
  readonly status: number;
  /** Names in lower case; repeated ones joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface Probe {
  /** Throws where nobody answers; the error's `code` says how. */
  send(request: ProbeRequest, signal: AbortSignal): Promise<ProbeReply>;
}

const MAX_BYTES = 1024 * 1024;

export function createProbe(host: string, port: number): Probe {
  return {
    async send({ method, path, headers = {}, body }, signal) {
      const payload = body === undefined ? null : JSON.stringify(body);
      const json = payload === null ? {} : { "content-type": "application/json" };
      return new Promise((resolve, reject) => {
        const request = httpRequest(
          {
            host,
            port,
            method,
            path,
            // The bridge may listen on an address that is none of the names it has.
            headers: { host: `localhost:${port}`, ...json, ...headers },
            agent: false,
            signal,
          },
          (response) => {
            const chunks: Buffer[] = [];
            let size = 0;
            response.on("data", (chunk: Buffer) => {
              size += chunk.length;
              if (size > MAX_BYTES) request.destroy(new Error("the answer is larger than 1 MiB"));
              else chunks.push(chunk);
            });
            response.on("error", reject);
            response.on("end", () => {
              resolve({
                status: response.statusCode ?? 0,
                headers: flat(response.headers),
                text: Buffer.concat(chunks).toString("utf8"),
              });
            });
          },
        );
        request.on("error", reject);
        request.end(payload ?? undefined);
      });
    },
  };
}

/** The value of a JSON text where it is an object; an empty one for everything else. */
export function jsonOf({ text }: Pick<ProbeReply, "text">): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function flat(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]),
  );
}
