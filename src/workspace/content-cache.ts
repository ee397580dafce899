/**
 * Remembers which files were read and found clean, by a fingerprint of device, inode, size and times: no names, no
 * content. Lives in shared memory, so that threads ask it without a message. Forgets all when it is full.
 */

export interface ContentCache {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly add: (fingerprints: Int32Array) => void;
}

/** What of a file's state goes into its fingerprint. */
export interface FileState {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

/** Header: the random seed of this process, and how many slots are taken. */
const HEADER = 4;
const SEED_A = 0;
const SEED_B = 1;
const TAKEN = 2;
const WORDS_PER_SLOT = 2;

/** `slots` is a power of two; each takes eight bytes. */
export function createContentCache(slots = 1 << 19): ContentCache {
  const words = new Int32Array(new SharedArrayBuffer((HEADER + slots * WORDS_PER_SLOT) * 4));
  words.set(crypto.getRandomValues(new Int32Array(2)), SEED_A);
  return {
    words,
    add: (fingerprints) => {
      for (let index = 0; index + 1 < fingerprints.length; index += WORDS_PER_SLOT) {
        if ((words[TAKEN] ?? 0) * 2 > slots) words.fill(0, TAKEN);
        insert(words, slots, fingerprints[index] as number, fingerprints[index + 1] as number);
      }
    },
  };
}

export function isEmptyCache(words: Int32Array): boolean {
  return words[TAKEN] === 0;
}

/** Writes two words that stand for a file in exactly this state; the second is never zero. */
export function fingerprintOf(words: Int32Array, state: FileState, into: Int32Array): void {
  let a = words[SEED_A] as number;
  let b = words[SEED_B] as number;
  const take = (part: number): void => {
    const low = part | 0;
    const high = (part / 2 ** 32) | 0;
    a = mix(mix(a ^ low, 0x85ebca6b) ^ high, 0x27d4eb2f);
    b = mix(mix(b ^ high, 0xc2b2ae35) ^ low, 0x165667b1) ^ a;
  };
  take(state.dev);
  take(state.ino);
  take(state.size);
  take(state.mtimeMs * 1024);
  take(state.ctimeMs * 1024);
  into[0] = a;
  into[1] = b | 1;
}

export function isRemembered(words: Int32Array, fingerprint: Int32Array): boolean {
  const [a, b] = [fingerprint[0] as number, fingerprint[1] as number];
  const slots = (words.length - HEADER) / WORDS_PER_SLOT;
  for (let slot = a & (slots - 1), tries = 0; tries < slots; slot = (slot + 1) & (slots - 1), tries++) {
    const at = HEADER + slot * WORDS_PER_SLOT;
    if (words[at + 1] === 0) return false;
    if (words[at] === a && words[at + 1] === b) return true;
  }
  return false;
}

function insert(words: Int32Array, slots: number, a: number, b: number): void {
  for (let slot = a & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
    const at = HEADER + slot * WORDS_PER_SLOT;
    if (words[at] === a && words[at + 1] === b) return;
    if (words[at + 1] !== 0) continue;
    words[at] = a;
    Atomics.store(words, at + 1, b);
    words[TAKEN] = (words[TAKEN] ?? 0) + 1;
    return;
  }
}

function mix(value: number, by: number): number {
  const product = Math.imul(value ^ (value >>> 15), by);
  return product ^ (product >>> 13);
}
