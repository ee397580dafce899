/**
 * The only key to a job. A Grant says what one turn of Codex may do; the runner and the backends take nothing else
 * as permission. `decide.ts` alone makes one: the brand is not exported.
 */
declare const granted: unique symbol;

/** `danger-full-access` does not exist here: no setting and no caller can name it. */
export type Sandbox = "read-only" | "workspace-write";
export type ApprovalPolicy = "never" | "on-request" | "untrusted";

/** A directory as it was when it was judged: `path` is a realpath, device and inode tell a later swap. */
export interface DirectoryIdentity {
  readonly path: string;
  readonly device: string;
  readonly inode: string;
}

export interface GrantTerms {
  /** The project's name, as callers know it. */
  readonly project: string;
  readonly root: DirectoryIdentity;
  /** Where Codex starts; the root or a directory below it. */
  readonly cwd: DirectoryIdentity;
  readonly sandbox: Sandbox;
  readonly approvalPolicy: ApprovalPolicy;
  /** The model's commands may use the network. */
  readonly network: boolean;
  /** Names of the user's own Codex MCP servers that may start in this thread. */
  readonly mcpServers: readonly string[];
  /** null: the default of the user's Codex. */
  readonly model: string | null;
  readonly effort: string | null;
  /** Absolute paths of files and directories that stay unreadable to the model's commands. */
  readonly deniedPaths: readonly string[];
  /** Absolute glob patterns of the same kind, for files that may appear while the turn runs. */
  readonly deniedPatterns: readonly string[];
  /** Absolute paths of directories with denied paths in them, which the model's commands may not rename. */
  readonly heldDirectories: readonly string[];
}

export interface Grant extends GrantTerms {
  readonly [granted]: true;
}

/** Parts of a project that steer Codex or git itself; the model's commands never write them. */
export const STEERING_DIRECTORIES = [".git", ".codex", ".agents"];
