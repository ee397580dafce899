/**
 * The thread that looks at projects for changes; both of its ends: how it is started, and what it does. Keeps the state
 * of a project between two looks; answers with names of files, never with what is in them.
 */
import { lstatSync, realpathSync } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type { Gap, SeenChange } from "../codex/seen-changes.ts";
import type { ListLimits } from "./tree-changes.ts";
import { compareTree, readTreeState, type TreeState } from "./tree-state.ts";
import { isGone, type TreeLimits } from "./tree-walk.ts";
import { below, toBytes, toFsPath, toText } from "./walk.ts";

export type TreeCall = { readonly treeId: number } & (
  | { readonly type: "look"; readonly root: string; readonly maxEntries: number; readonly maxMs: number }
  | { readonly type: "compare"; readonly maxMs: number; readonly list: ListLimits }
  /** What is under way for this tree gets no more time than this. */
  | { readonly type: "hurry"; readonly maxMs: number }
  | { readonly type: "forget" }
);

export interface TreeAnswer {
  readonly treeId: number;
  readonly changes: readonly SeenChange[];
  readonly total: number;
  readonly gap: Gap | null;
}

const ROLE = "tree-watch";

export function startTreeWorker(): Worker {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { role: ROLE },
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 4 },
  });
  worker.unref();
  return worker;
}

interface Tree {
  /** As bytes. */
  readonly root: string;
  readonly maxEntries: number;
  state: TreeState | null;
  gap: Gap | null;
  endsAt: number;
  isForgotten: boolean;
}

function serve(port: NonNullable<typeof parentPort>): void {
  const trees = new Map<number, Tree>();
  port.on("message", (call: TreeCall) => {
    if (call.type === "look") {
      const { root, maxEntries } = call;
      const endsAt = performance.now() + call.maxMs;
      const tree: Tree = {
        root: toBytes(root),
        maxEntries,
        state: null,
        gap: null,
        endsAt,
        isForgotten: false,
      };
      trees.set(call.treeId, tree);
      void look(tree).then(() => {
        port.postMessage(toAnswer(call.treeId, [], 0, tree.gap), []);
      });
      return;
    }
    const tree = trees.get(call.treeId);
    switch (call.type) {
      case "compare":
        if (tree === undefined) {
          port.postMessage(toAnswer(call.treeId, [], 0, "failed"), []);
          return;
        }
        tree.endsAt = performance.now() + call.maxMs;
        void compare(tree, call.treeId, call.list).then((answer) => {
          port.postMessage(answer, []);
        });
        return;
      case "hurry":
        if (tree !== undefined) tree.endsAt = Math.min(tree.endsAt, performance.now() + call.maxMs);
        return;
      case "forget":
        if (tree !== undefined) tree.isForgotten = true;
        trees.delete(call.treeId);
    }
  });
}

async function look(tree: Tree): Promise<void> {
  const { state, gap } = await readTreeState(tree.root, limitsOf(tree));
  tree.gap = gap;
  if (gap === null || gap === "unreadable") tree.state = state;
}

async function compare(tree: Tree, treeId: number, list: ListLimits): Promise<TreeAnswer> {
  const { root, state } = tree;
  if (state === null) return toAnswer(treeId, [], 0, tree.gap ?? "failed");
  tree.state = null;
  const { found, gap } = await compareTree(root, state, limitsOf(tree));
  let swapped = false;
  const changes = found.list(list, (directory) => {
    const isThere = isInPlace(root, directory);
    swapped ||= !isThere;
    return isThere;
  });
  const seen = changes.map(({ path, kind }) => ({
    path: toText(path),
    kind,
    changedAt: kind === "delete" ? null : changedAt(below(root, path)),
  }));
  return toAnswer(treeId, seen, found.total(), gap ?? (swapped ? "unreadable" : null));
}

function changedAt(path: string): number | null {
  try {
    return lstatSync(toFsPath(path), { throwIfNoEntry: false })?.ctimeMs ?? null;
  } catch {
    return null; // nobody may look there any more; that it changed is told all the same
  }
}

function limitsOf(tree: Tree): TreeLimits {
  return { maxEntries: tree.maxEntries, endsAt: () => tree.endsAt, isStopped: () => tree.isForgotten };
}

/** False where a directory became a link while the walk ran: then the names may be those of another place. */
function isInPlace(root: string, directory: string): boolean {
  const path = directory === "" ? root : below(root, directory);
  try {
    return realpathSync.native(toFsPath(path), "latin1") === path;
  } catch (error) {
    return isGone(error);
  }
}

function toAnswer(
  treeId: number,
  changes: readonly SeenChange[],
  total: number,
  gap: Gap | null,
): TreeAnswer {
  return { treeId, changes, total, gap };
}

if (!isMainThread && parentPort !== null && (workerData as { role?: string } | null)?.role === ROLE)
  serve(parentPort);
