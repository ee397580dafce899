/** How much memory a process holds: from /proc (Linux only), or its live heap, asked through Node's inspector. */
import { readFile } from "node:fs/promises";

/** 0 for a process that has ended. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

export interface HeapProbe {
  /** Bytes in use after garbage collection. */
  readonly heapBytes: () => Promise<number>;
  close(): void;
}

/** `log` is the stderr of a process that was started with `--inspect`. */
export async function connectHeapProbe(log: string): Promise<HeapProbe> {
  const url = /ws:\/\/\S+/.exec(log)?.[0];
  if (url === undefined) throw new Error("the process has no inspector");
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", reject, { once: true });
  });
  let lastId = 0;
  function ask(method: string): Promise<Record<string, unknown>> {
    const id = ++lastId;
    return new Promise((resolve) => {
      const onMessage = ({ data }: MessageEvent): void => {
        const message = JSON.parse(String(data)) as { id?: number; result?: Record<string, unknown> };
        if (message.id !== id) return;
        socket.removeEventListener("message", onMessage);
        resolve(message.result ?? {});
      };
      socket.addEventListener("message", onMessage);
      socket.send(JSON.stringify({ id, method }));
    });
  }
  return {
    heapBytes: async () => {
      await ask("HeapProfiler.collectGarbage");
      await ask("HeapProfiler.collectGarbage");
      const { usedSize } = await ask("Runtime.getHeapUsage");
      return Number(usedSize);
    },
    close() {
      socket.close();
    },
  };
}
