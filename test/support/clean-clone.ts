/** A checkout as a newcomer has it: what git knows, as it is now, with the dependencies of this one linked. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

export const checkout = join(import.meta.dirname, "..", "..");

export function makeCleanClone(directory: string): void {
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], { cwd: checkout });
  for (const name of listed.toString().split("\0")) {
    // A file that was removed and not yet committed is still listed; linked dependencies are no file of ours.
    if (name === "" || name === "node_modules" || !existsSync(join(checkout, name))) continue;
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    cpSync(join(checkout, name), join(directory, name));
  }
  symlinkSync(join(checkout, "node_modules"), join(directory, "node_modules"));
}

/** `npm run build`. */
export function buildClone(directory: string): void {
  execFileSync(process.execPath, [join(checkout, "node_modules", "typescript", "bin", "tsc"), "-p", "src"], {
    cwd: directory,
  });
}

/** The machine's PATH without what npm adds for this package; `first` before it. */
export function plainPath(...first: readonly string[]): string {
  const { PATH = "" } = process.env;
  return [...first, ...PATH.split(delimiter).filter((entry) => !entry.startsWith(checkout))].join(delimiter);
}
