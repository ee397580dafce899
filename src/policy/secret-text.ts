/** Turns a file's bytes into text to be judged: UTF-8, UTF-16 with or without its mark, else one letter per byte. Pure. */

const UTF8_CUT = { stream: true } as const;

export function decodeText(bytes: Uint8Array): string {
  const wide = utf16Order(bytes);
  if (wide !== null) return new TextDecoder(wide).decode(bytes, UTF8_CUT);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, UTF8_CUT);
  } catch {
    return toLatin1(bytes); // no text at all, or one of the old encodings
  }
}

/** One letter per byte; `TextDecoder` would turn 0x80 to 0x9f into other letters. */
function toLatin1(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) {
    text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  }
  return text;
}

/** null for all that is not UTF-16. Without a mark, three in four of the first letters must have an empty half. */
export function utf16Order(bytes: Uint8Array): "utf-16le" | "utf-16be" | null {
  if (bytes.length < 2) return null;
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  const letters = Math.min(bytes.length >> 1, 128);
  if (letters < 4) return null;
  let emptyHigh = 0;
  let emptyLow = 0;
  for (let index = 0; index < letters; index++) {
    const even = bytes[2 * index];
    const odd = bytes[2 * index + 1];
    if (even !== 0 && odd === 0) emptyHigh++;
    if (even === 0 && odd !== 0) emptyLow++;
  }
  if (emptyHigh * 4 >= letters * 3) return "utf-16le";
  return emptyLow * 4 >= letters * 3 ? "utf-16be" : null;
}
