/**
 * One line of the audit log as a link of a chain: it names the hash of the line before it and ends with its own,
 * `hash = sha256(prevHash + line without its hash)`, over the bytes as they stand in the file. Pure.
 */
import { createHash, hash } from "node:crypto";

/** Where the chain is: the last line's number and hash. */
export interface Link {
  readonly seq: number;
  readonly hash: string;
}

/** Before the first line. */
export const GENESIS: Link = { seq: 0, hash: "0".repeat(64) };

const HASH = /^[0-9a-f]{64}$/;
const ENDING = /^,"hash":"([0-9a-f]{64})"\}$/;
const ENDING_BYTES = 75;

/** `fields` is a JSON object's text without its braces; the line comes back without its line break. */
export function seal(previous: Link, fields: string): { readonly line: string; readonly link: Link } {
  const seq = previous.seq + 1;
  const body = `{"v":1,"seq":${seq},"prevHash":"${previous.hash}",${fields}}`;
  const own = hash("sha256", previous.hash + body);
  return { line: `${body.slice(0, -1)},"hash":"${own}"}`, link: { seq, hash: own } };
}

export interface OpenedLine {
  readonly kind: "line";
  readonly link: Link;
  readonly prevHash: string;
  readonly entry: Readonly<Record<string, unknown>>;
}

/** Whether a line is whole and says what was written. Whether it is in its place is for whoever knows the line before. */
export function openLine(line: Buffer): OpenedLine | { readonly kind: "unparsable" | "altered" } {
  const entry = parse(line);
  if (entry === null) return { kind: "unparsable" };
  const { seq, prevHash } = entry;
  const end = line.length - ENDING_BYTES;
  const own = end > 0 ? ENDING.exec(line.toString("latin1", end))?.[1] : undefined;
  if (own === undefined || typeof seq !== "number" || !Number.isSafeInteger(seq) || seq < 1) {
    return { kind: "altered" };
  }
  if (typeof prevHash !== "string" || !HASH.test(prevHash)) return { kind: "altered" };
  const digest = createHash("sha256").update(prevHash).update(line.subarray(0, end)).update("}");
  if (digest.digest("hex") !== own) return { kind: "altered" };
  return { kind: "line", link: { seq, hash: own }, prevHash, entry };
}

function parse(line: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line.toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}
