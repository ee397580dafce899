/** The longest head of `text` that fits into `maxBytes` of UTF-8, never ending inside a character. */
export function cutText(text: string, maxBytes: number): { text: string; wasCut: boolean } {
  // A UTF-16 unit is at most 3 bytes of UTF-8: most texts need no counting.
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return { text, wasCut: false };
  let bytes = Buffer.from(text).subarray(0, maxBytes);
  let end = bytes.length;
  while (end > 0 && isContinuation(bytes[end - 1])) end -= 1;
  const lead = bytes[end - 1] ?? 0;
  const wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  if (bytes.length - (end - 1) < wanted) bytes = bytes.subarray(0, end - 1);
  return { text: bytes.toString("utf8"), wasCut: true };
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
