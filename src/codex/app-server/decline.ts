/**
 * Answers every request that Codex makes of its client with a no. Nobody stands behind the bridge who could
 * approve: the policy was decided before the turn, and an approved command would run outside the sandbox.
 */

export interface Decline {
  /** What Codex gets. */
  readonly result: unknown;
  /** For the job's events: what was asked. */
  readonly what: string;
  readonly reason: string;
}

const NO_APPROVER = "The bridge answers no: its owner's policy was decided before the turn.";

/** null for a method that is no request for a decision; it gets a JSON-RPC error, which Codex takes as a no. */
export function declineRequest(method: string): Decline | null {
  switch (method) {
    case "item/commandExecution/requestApproval":
      return {
        what: "run a command outside the policy",
        reason: NO_APPROVER,
        result: { decision: "decline" },
      };
    case "item/fileChange/requestApproval":
      return {
        what: "change files outside the policy",
        reason: NO_APPROVER,
        result: { decision: "decline" },
      };
    case "item/permissions/requestApproval":
      return {
        what: "get more permissions",
        reason: NO_APPROVER,
        result: { permissions: {}, scope: "turn" },
      };
    case "execCommandApproval":
    case "applyPatchApproval":
      return { what: "step outside the policy", reason: NO_APPROVER, result: { decision: "denied" } };
    case "item/tool/requestUserInput":
      return { what: "ask the user a question", reason: "No user is present.", result: { answers: {} } };
    case "mcpServer/elicitation/request":
      return {
        what: "pass on a question of an MCP server",
        reason: "No user is present.",
        result: { action: "decline", content: null },
      };
    case "item/tool/call":
      return {
        what: "call a tool of its client",
        reason: "The bridge offers none.",
        result: {
          success: false,
          contentItems: [{ type: "inputText", text: "This tool is not available." }],
        },
      };
    default:
      return null;
  }
}
