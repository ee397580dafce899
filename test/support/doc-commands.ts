/** The commands that README and docs tell people to type: fenced blocks of shell, and how a test may run them. */
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

export interface DocBlock {
  /** `docs/chatgpt-setup.md:26` */
  readonly at: string;
  readonly text: string;
  readonly how: How;
}

/** Said by a comment right above the block, which nobody sees who reads the page. */
export type How =
  | { readonly kind: "runs" }
  /** `<!-- runs until stopped -->`: its last commands are servers. */
  | { readonly kind: "serves" }
  /** `<!-- beside a running bridge -->` */
  | { readonly kind: "beside" }
  /** `<!-- not run: why -->` */
  | { readonly kind: "not run"; readonly why: string };

const packageRoot = join(import.meta.dirname, "..", "..");
const FENCE = /^ *```(\w*)/;

export async function docPages(): Promise<string[]> {
  const below = await readdir(join(packageRoot, "docs"), { recursive: true });
  const pages = below.filter((name) => name.endsWith(".md")).map((name) => join(packageRoot, "docs", name));
  return [join(packageRoot, "README.md"), join(packageRoot, "CONTRIBUTING.md"), ...pages.toSorted()];
}

export async function docBlocks(): Promise<DocBlock[]> {
  const blocks = await Promise.all(
    (await docPages()).map(async (page) =>
      blocksOf(relative(packageRoot, page), await readFile(page, "utf8")),
    ),
  );
  return blocks.flat();
}

export function blocksOf(page: string, markdown: string): DocBlock[] {
  const lines = markdown.split("\n");
  const blocks: DocBlock[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const language = FENCE.exec(lines[index] ?? "")?.[1];
    if (language === undefined) continue;
    const begin = index + 1;
    index = lines.findIndex((line, at) => at >= begin && /^ *```\s*$/.test(line));
    if (index === -1) throw new Error(`${page}:${begin}: a block is not closed`);
    if (!["sh", "bash", "shell", "console"].includes(language)) continue;
    const at = `${page}:${begin}`;
    blocks.push({ at, text: lines.slice(begin, index).join("\n"), how: howOf(lines[begin - 2] ?? "", at) });
  }
  return blocks;
}

function howOf(above: string, at: string): How {
  const comment = /^ *<!-- (.+) -->$/.exec(above)?.[1];
  if (comment === undefined) return { kind: "runs" };
  if (comment === "runs until stopped") return { kind: "serves" };
  if (comment === "beside a running bridge") return { kind: "beside" };
  const why = /^not run: (.+)$/.exec(comment)?.[1];
  if (why === undefined) throw new Error(`${at}: nobody knows what the comment means: ${comment}`);
  return { kind: "not run", why };
}
