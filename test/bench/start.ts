/** From the start of the process to the first `/healthz`, against `node -e 0`; the compile cache is warm. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { codexBinaries } from "../support/scripted-codex.ts";
import { buildDoor, doorEnvironment, freePort, serveFlags } from "./support/door.ts";
import { option } from "./support/options.ts";
import { atMost, type Row } from "./support/row.ts";
import { inTurns, median, medianOfRatios, timed } from "./support/statistics.ts";

export async function run(): Promise<Row[]> {
  const door = await buildDoor();
  const home = await mkdtemp(join(tmpdir(), "codex-gpt-bridge-bench-start-"));
  try {
    const project = join(home, "project");
    await mkdir(project);
    const options = { door, codex: codexBinaries["0.169.0"], codexHome: home, project };
    const ours = async (): Promise<number> => {
      const port = await freePort();
      const began = performance.now();
      const child = spawn(process.execPath, [door.path, ...serveFlags(options, port)], {
        cwd: home,
        env: doorEnvironment(home),
        stdio: "ignore",
      });
      while (!(await isHealthy(port))) {
        if (child.exitCode !== null) throw new Error("the bridge did not start");
        await sleep(1);
      }
      const elapsed = performance.now() - began;
      child.kill("SIGTERM");
      await once(child, "exit");
      return elapsed;
    };
    const reference = () =>
      timed(() => once(spawn(process.execPath, ["-e", "0"], { stdio: "ignore" }), "exit"));
    await inTurns(3, ours, reference);
    const times = await inTurns(option("rounds", 30), ours, reference);
    const detail = `${median(times.ours).toFixed(0)} against ${median(times.reference).toFixed(0)} ms`;
    const ratio = medianOfRatios(times.ours, times.reference);
    return [atMost("start to /healthz, in node -e 0", ratio, 7, "×", detail)];
  } finally {
    await door.dispose();
    await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

function isHealthy(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path: "/healthz", agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("error", () => {
      resolve(false);
    });
  });
}
