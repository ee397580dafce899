import { copyFileSync, mkdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifyLog } from "../../src/audit/verify-log.ts";
import { call, filesOf, makeDirectory, openLog } from "./audit-samples.ts";

let base = "";
let directory = "";
let path = "";

beforeEach(() => {
  base = makeDirectory();
  directory = join(base, "audit");
  path = join(directory, "audit.log");
});

afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

async function write(count: number, maxFileBytes = 1_000_000): Promise<void> {
  const log = await openLog(directory, { maxFileBytes });
  for (let n = 0; n < count; n++) {
    log.record(call({ requestId: `r${n}`, outcome: n % 2 === 0 ? "answered" : "büsy" }));
    await log.flushed();
  }
  await log.close();
}

describe("verifyLog", () => {
  it("is content where there is no log yet", async () => {
    expect(await verifyLog(join(base, "nothing"))).toMatchObject({ ok: true, lines: 0, last: null });
    mkdirSync(directory);
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 0 });
    writeFileSync(path, "");
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 0 });
  });

  it.each<[string, (byte: number) => number]>([
    ["its lowest bit flipped", (byte) => byte ^ 0x01],
    ["its highest bit flipped", (byte) => byte ^ 0x80],
    ["a line break in its place", (byte) => (byte === 0x0a ? 0x20 : 0x0a)],
  ])("finds a byte with %s, at every position", async (_name, change) => {
    await write(3);
    const sound = readFileSync(path);
    const ends = [...sound.entries()].filter(([, byte]) => byte === 0x0a).map(([at]) => at);
    const named: string[] = [];
    for (let at = 0; at < sound.length; at++) {
      writeFileSync(path, sound.with(at, change(sound[at] ?? 0)));
      const report = await verifyLog(directory);
      named.push(report.ok ? "nothing" : `${report.file}:${report.line}`);
    }
    expect(named).toEqual(
      Array.from(sound, (_byte, at) => `audit.log:${ends.filter((end) => end < at).length + 1}`),
    );
  });

  it("finds a flip in a full file, and names that file", async () => {
    await write(12, 1000);
    const [first = "", second = ""] = filesOf(directory);
    const file = join(directory, second);
    const sound = readFileSync(file);
    for (let at = 0; at < sound.length; at += 7) {
      const bytes = Buffer.from(sound);
      bytes[at] = (bytes[at] ?? 0) ^ 0x04;
      writeFileSync(file, bytes);
      expect(await verifyLog(directory)).toMatchObject({ ok: false, file: second });
    }
    writeFileSync(file, sound.subarray(0, -1));
    expect(await verifyLog(directory)).toMatchObject({ ok: false, file: second });
    expect(first < second).toBe(true);
  });

  it.each<[string, (lines: string[]) => string[], number, string]>([
    ["a line removed", (l) => l.toSpliced(2, 1), 3, "sequence"],
    ["a line doubled", (l) => l.toSpliced(2, 0, l[2] ?? ""), 4, "sequence"],
    ["two lines swapped", (l) => l.with(1, l[2] ?? "").with(2, l[1] ?? ""), 2, "sequence"],
    ["an empty line added", (l) => l.toSpliced(1, 0, ""), 2, "unparsable"],
    ["a line cut off in the middle", (l) => l.with(2, (l[2] ?? "").slice(0, 40)), 3, "unparsable"],
    ["a line without its hash", (l) => l.with(2, (l[2] ?? "").replace(/,"hash.*/, "}")), 3, "altered"],
    ["the first line removed", (l) => l.slice(1), 1, "beginning"],
    ["a strange object", (l) => l.with(0, `{"seq":1}`), 1, "altered"],
    ["a list", (l) => l.with(0, `[]`), 1, "unparsable"],
  ])("finds %s", async (_name, change, line, reason) => {
    await write(5);
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    writeFileSync(path, `${change(lines).join("\n")}\n`);
    expect(await verifyLog(directory)).toMatchObject({ ok: false, file: "audit.log", line, reason });
  });

  it("finds a line of another chain in its place", async () => {
    await write(3);
    const own = readFileSync(path, "utf8").split("\n");
    rmSync(directory, { recursive: true });
    await write(3);
    const other = readFileSync(path, "utf8").split("\n");
    writeFileSync(path, own.with(1, other[1] ?? "").join("\n"));
    const report = await verifyLog(directory);
    expect(report.ok).toBe(false);
  });

  it("finds a full file that is gone, doubled or unreadable as a log", async () => {
    await write(12, 1000);
    const [first = "", second = "", third = ""] = filesOf(directory);
    const sound = readFileSync(join(directory, second));
    unlinkSync(join(directory, second));
    expect(await verifyLog(directory)).toMatchObject({ ok: false, file: third, line: 1, reason: "sequence" });
    copyFileSync(join(directory, first), join(directory, second));
    expect(await verifyLog(directory)).toMatchObject({
      ok: false,
      file: second,
      line: 1,
      reason: "sequence",
    });
    writeFileSync(join(directory, second), Buffer.alloc(5 * 1024 * 1024, 0x20));
    expect(await verifyLog(directory)).toMatchObject({
      ok: false,
      file: second,
      line: 1,
      reason: "unparsable",
    });
    writeFileSync(join(directory, second), sound);
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 12 });
  });

  it("tells a torn last line from a line with something after it", async () => {
    await write(3);
    const sound = readFileSync(path, "utf8");
    for (let cut = 1; cut < 300; cut += 13) {
      writeFileSync(path, sound.slice(0, -cut));
      expect(await verifyLog(directory)).toMatchObject({ ok: true, unfinished: { line: 3 } });
    }
    writeFileSync(path, `${sound.trimEnd()}x`);
    expect(await verifyLog(directory)).toMatchObject({ ok: false, line: 3 });
  });

  it("reads a log while it is written", async () => {
    const log = await openLog(directory, { maxFileBytes: 20_000 });
    const progress = { isDone: false };
    const writing = (async () => {
      for (let n = 0; n < 1500; n++) {
        log.record(call({ requestId: `r${n}` }));
        if (n % 10 === 0) await log.flushed();
      }
      await log.close();
      progress.isDone = true;
    })();
    let reads = 0;
    while (!progress.isDone) {
      expect(await verifyLog(directory)).toMatchObject({ ok: true });
      reads += 1;
    }
    await writing;
    expect(reads).toBeGreaterThan(1);
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 1500 });
  });
});
