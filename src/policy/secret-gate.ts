/**
 * Finds many fixed strings in a text at once, ignoring ASCII case, about as fast as the text can be read (Wu and
 * Manber's shifts over pairs of letters). Pure. It only opens the gate: what stands there is judged by others.
 */

export interface Gate {
  /** Calls `visit` with the index of a literal and where it begins, for all of them, in no promised order. */
  readonly scan: (bytes: Uint8Array, visit: (literal: number, start: number) => void) => void;
}

interface Anchored {
  readonly index: number;
  readonly folded: Uint8Array;
  /** Where in the literal the three letters stand by which it is looked up. */
  readonly offset: number;
}

/** Three letters are looked up; a fourth before them, any letter where a literal is no longer, widens the steps. */
const LOOKED_UP = 3;
const WIDEST_STEP = 3;

/** `literals` have at least three characters each; of characters beyond one byte only the low byte is compared. */
export function createGate(literals: readonly string[]): Gate {
  const steps = new Uint8Array(1 << 16).fill(WIDEST_STEP);
  const buckets: Anchored[][] = [];
  const bucketOf = new Uint16Array(1 << 15);
  for (const [index, literal] of literals.entries()) {
    const folded = Uint8Array.from({ length: literal.length }, (_, at) =>
      fold(literal.charCodeAt(at) & 0xff),
    );
    if (folded.length < LOOKED_UP) throw new Error("a literal of the gate is too short");
    const offset = rarestWindow(folded);
    const [a, b, c] = [folded[offset] ?? 0, folded[offset + 1] ?? 0, folded[offset + 2] ?? 0];
    const before = folded[offset - 1];
    for (const first of before === undefined ? ANY : [before]) setStep(steps, first, a, 2);
    setStep(steps, a, b, 1);
    setStep(steps, b, c, 0);
    const slot = slotOf(a, b, c);
    if (bucketOf[slot] === 0) bucketOf[slot] = buckets.push([]);
    buckets[(bucketOf[slot] ?? 0) - 1]?.push({ index, folded, offset });
  }
  return {
    scan: (bytes, visit) => {
      const end = bytes.length;
      let at = LOOKED_UP - 1;
      while (at < end) {
        const pair = ((bytes[at - 1] as number) << 8) | (bytes[at] as number);
        const step = steps[pair] as number;
        if (step > 0) {
          at += step;
          continue;
        }
        const bucket = bucketOf[slotOf(bytes[at - 2] as number, pair >> 8, pair & 255)] as number;
        if (bucket > 0) visitBucket(buckets[bucket - 1] ?? [], bytes, at - 2, visit);
        at++;
      }
    },
  };
}

const ANY = Array.from({ length: 256 }, (_, code) => code);

function visitBucket(
  bucket: readonly Anchored[],
  bytes: Uint8Array,
  anchor: number,
  visit: (literal: number, start: number) => void,
): void {
  for (const { index, folded, offset } of bucket) {
    const start = anchor - offset;
    if (start < 0 || start + folded.length > bytes.length) continue;
    let same = 0;
    while (same < folded.length && fold(bytes[start + same] as number) === folded[same]) same++;
    if (same === folded.length) visit(index, start);
  }
}

function fold(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
}

/** Small and capital letters, and a few signs with them, fall into one slot; `visitBucket` compares all letters. */
function slotOf(a: number, b: number, c: number): number {
  return ((a & 31) << 10) | ((b & 31) << 5) | (c & 31);
}

function setStep(steps: Uint8Array, first: number, second: number, step: number): void {
  for (const a of bothCases(first)) {
    for (const b of bothCases(second)) {
      const pair = (a << 8) | b;
      steps[pair] = Math.min(steps[pair] ?? 0, step);
    }
  }
}

function bothCases(code: number): readonly number[] {
  return code >= 0x61 && code <= 0x7a ? [code, code & ~0x20] : [code];
}

const COMMON_PAIRS =
  "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic ne ea ra ce li ch ll be ma si om ur";

/** The three letters that ordinary text is least likely to hold, the last two above all; not the first three if possible. */
function rarestWindow(folded: Uint8Array): number {
  let best = 0;
  let bestCost = Number.POSITIVE_INFINITY;
  for (let offset = 0; offset + LOOKED_UP <= folded.length; offset++) {
    const cost = pairCost(folded, offset + 1) * 2 + pairCost(folded, offset) + (offset === 0 ? 1.5 : 0);
    if (cost < bestCost) [best, bestCost] = [offset, cost];
  }
  return best;
}

function pairCost(folded: Uint8Array, at: number): number {
  const pair = String.fromCharCode(folded[at] ?? 0, folded[at + 1] ?? 0);
  if (/^(?:\s\s|--|==|\/\/|\*\*|__)$/.test(pair)) return 2;
  return COMMON_PAIRS.includes(pair) ? 3 : /^[a-z]{2}$/.test(pair) ? 1 : 0;
}
