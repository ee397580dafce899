/**
 * Sorts out, in a few nanoseconds, the names that no rule of secret-name-rules.ts could match: nearly all of a large
 * tree. Pure. Errs towards "look closer"; test/policy/secret-names.test.ts holds it against the whole table.
 */

/** Extensions under which nothing is a secret by name. */
const CODE =
  "ts tsx js jsx mjs cjs mts cts css scss sass less html htm vue md mdx map py pyi pyc go rs c h cc cpp hpp cxx java kt kts " +
  "rb swift cs fs ex exs lua pl svg png jpg jpeg gif webp ico woff ttf eot otf mp3 mp4 wasm o a so lock snap";
/** Extensions under which a name is a secret's only with one of the hints in it. */
const DATA = "json yml yaml txt xml toml ini csv conf cfg lst log rst sh sql";
/** Three letters out of each name that a pattern, or a whole name under an extension of `DATA`, could match. */
const HINTS =
  "env var key rsa dsa 519 448 xms sec cre eac e-a e_a e.a reb gcp gcs gcl goo big kub tfs tfv jwk ssw stp wg. wg0 wg1 wg2 wg3 " +
  "wg4 wg5 wg6 wg7 wg8 wg9 dum cku itw gha riv oke uth htp unf pip l.s zur k3s rke gpa tab obo t_p rcl ngr ftp zil sit tse ogi mrc trc nrc vau";

const DOT = 0x2e;
/** Large enough that no two of the extensions fall into one slot. */
const EXTENSION_SLOTS = 8191;
const [codeExtensions, dataExtensions] = [CODE, DATA].map((list) => {
  const slots = new Int32Array(EXTENSION_SLOTS);
  for (const extension of list.split(" ")) {
    const packed = Array.from(extension).reduceRight((sum, letter) => (sum << 7) | letter.charCodeAt(0), 0);
    slots[packed % EXTENSION_SLOTS] = packed;
  }
  return slots;
}) as [Int32Array, Int32Array];

const hintSlots = new Uint8Array(1 << 15);
for (const hint of HINTS.split(" ")) {
  hintSlots[slotOf(hint.charCodeAt(0), hint.charCodeAt(1), hint.charCodeAt(2))] = 1;
}

/**
 * True only where no rule matches, whatever directory of no meaning the file lies in (`isTellingPlace` of
 * secret-names.ts). Takes text and byte strings alike.
 */
export function isPlainName(name: string): boolean {
  const first = name.charCodeAt(0);
  if (!(first > DOT && first < 0x7f)) return false;
  let extension = 0;
  let index = name.length - 1;
  for (let letters = 0; ; letters++, index--) {
    const code = name.charCodeAt(index);
    if (code === DOT) break;
    if (!(code >= 0x30 && code <= 0x7a) || letters === 4) return false;
    extension = (extension << 7) | (code | 0x20);
  }
  const slot = extension % EXTENSION_SLOTS;
  if (codeExtensions[slot] === extension) return true;
  return dataExtensions[slot] === extension && !hasHint(name);
}

/** False only where no pattern can match. Letters are compared by their low five bits: capitals are small letters. */
export function hasHint(name: string): boolean {
  let window = 0;
  for (let index = 0; index < name.length; index++) {
    const code = name.charCodeAt(index);
    if (code < 0x21 || code > 0x7e) return true;
    window = ((window << 5) | (code & 31)) & 0x7fff;
    if (hintSlots[window] === 1) return true;
  }
  return false;
}

function slotOf(a: number, b: number, c: number): number {
  return ((a & 31) << 10) | ((b & 31) << 5) | (c & 31);
}
