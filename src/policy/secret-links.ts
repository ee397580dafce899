/**
 * Where a symbolic link may lead. Pure: paths in, verdict out; who resolved them, and what lies there, is not known here.
 */
import { judgeName } from "./secret-names.ts";
import type { NameJudgement } from "./secret-kinds.ts";

export interface LinkPlaces {
  /** Real path of the project's root. */
  readonly root: string;
  /** Real path of the user's home directory, or null. */
  readonly home: string | null;
}

export type LinkJudgement =
  /** Stays below the root: what it leads to is judged where it lies. */
  | { readonly kind: "inside" }
  /** Leads out, to something that is known to be private, or to all of it. */
  | { readonly kind: "private" }
  /** Leads out; `name` is what the target's own name says. */
  | { readonly kind: "outside"; readonly name: NameJudgement | null };

const PRIVATE_DIRECTORIES: ReadonlySet<string> = new Set(
  (
    ".ssh .gnupg .aws .azure .kube .docker .codex .claude .gemini .password-store .oci .aliyun .doctl .terraform.d .vault " +
    "gcloud keychains private-keys-v1.d keyrings secrets .1password .mozilla .thunderbird"
  ).split(" "),
);
const PRIVATE_SUBTREES = ["/proc", "/run/secrets", "/var/run/secrets", "/etc/ssl/private", "/etc/ssh"];

export function judgeLinkTarget(target: string, places: LinkPlaces): LinkJudgement {
  if (isWithin(target, places.root)) return { kind: "inside" };
  if (target === "/" || (places.home !== null && isWithin(places.home, target))) return { kind: "private" };
  const segments = target.split("/").filter((segment) => segment !== "");
  const shared = commonDepth(segments, places.root.split("/").slice(1));
  const secret = segments.slice(shared).some((segment) => PRIVATE_DIRECTORIES.has(segment.toLowerCase()));
  if (secret || PRIVATE_SUBTREES.some((subtree) => isWithin(target, subtree))) return { kind: "private" };
  return { kind: "outside", name: judgeName(segments.at(-1) ?? "", segments.slice(0, -1)) };
}

/** `path` is `directory` or lies below it; both absolute and normal. */
export function isWithin(path: string, directory: string): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}

/** How many directories two paths share from the top: a project below `.claude` may link to its neighbours. */
function commonDepth(a: readonly string[], b: readonly string[]): number {
  let depth = 0;
  while (depth < a.length && a[depth] === b[depth]) depth++;
  return depth;
}
