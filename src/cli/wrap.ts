/** Text in lines that fit a terminal. Pure. */

/** Breaks at spaces; a word that is longer than the line stands alone and whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

const NARROWEST = 40;
const WIDEST = 100;

/** How wide our text may be: 79 where nobody knows, and never so wide that it is hard to read. */
export function textWidth({ columns = 80 }: { readonly columns?: number | undefined }): number {
  return Math.max(NARROWEST, Math.min(WIDEST, columns) - 1);
}
