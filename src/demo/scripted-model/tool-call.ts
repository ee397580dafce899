// Turns a call of a script into the output item that Codex understands for the tools it offered.
// Two styles exist: function tools by name, and code mode, where one `exec` tool runs JavaScript that calls the rest.
import { isCodeMode, type ScriptedRequest } from "./responses-request.ts";
import type { CallStep, ShellStep } from "./steps.ts";

type Item = Readonly<Record<string, unknown>>;

/** Throws a plain Error for a call that the model of this request could never make. */
export function toToolCall(call: CallStep, request: ScriptedRequest, callId: string): Item {
  return isCodeMode(request) ? codeModeCall(call, request, callId) : functionCall(call, request, callId);
}

function functionCall(call: CallStep, request: ScriptedRequest, callId: string): Item {
  switch (call.kind) {
    case "shell":
      return functionItem(callId, "exec_command", execArguments(call));
    case "patch": {
      const freeform = request.tools.some((tool) => tool.name === "apply_patch" && tool.type === "custom");
      if (freeform) return customItem(callId, { name: "apply_patch", input: call.patch });
      // Codex recognises this exact form of shell command and applies the patch itself.
      return functionItem(callId, "exec_command", { cmd: `apply_patch <<'EOF'\n${call.patch}\nEOF\n` });
    }
    case "js":
      throw new Error(`js() needs a code-mode model, and ${request.model} is offered function tools`);
    default:
      return functionItem(callId, call.tool, call.args, call.namespace);
  }
}

function codeModeCall(call: CallStep, request: ScriptedRequest, callId: string): Item {
  if (call.kind === "callTool") {
    const direct = request.tools.find((tool) => tool.name === call.tool && tool.type === "function");
    const namespace = call.namespace ?? direct?.namespace;
    if (typeof namespace === "string") return functionItem(callId, call.tool, call.args, namespace);
  }
  return customItem(callId, { name: "exec", namespace: "functions", input: javaScript(call) });
}

function javaScript(call: CallStep): string {
  switch (call.kind) {
    case "shell":
      return [
        // The script must outlive the command that it waits for.
        ...(call.yieldMs === undefined ? [] : [`// @exec: {"yield_time_ms": ${call.yieldMs + 30_000}}`]),
        `const result = await tools.exec_command(${JSON.stringify(execArguments(call))});`,
        "text(result.output);",
        'text(result.exit_code === undefined ? "still running" : `exit code ${result.exit_code}`);',
      ].join("\n");
    case "patch":
      return `text(await tools.apply_patch(${JSON.stringify(call.patch)}));`;
    case "callTool":
      return `text(await tools[${JSON.stringify(call.tool)}](${JSON.stringify(call.args)}));`;
    default:
      return call.code;
  }
}

function execArguments(call: ShellStep): Item {
  return {
    cmd: call.cmd,
    ...(call.workdir === undefined ? {} : { workdir: call.workdir }),
    ...(call.yieldMs === undefined ? {} : { yield_time_ms: call.yieldMs }),
    ...(call.escalate === true
      ? { sandbox_permissions: "require_escalated", justification: "The script asks for it." }
      : {}),
  };
}

function functionItem(callId: string, name: string, args: Item, namespace?: string): Item {
  return {
    type: "function_call",
    id: `fc_${callId}`,
    status: "completed",
    call_id: callId,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    arguments: JSON.stringify(args),
  };
}

function customItem(callId: string, fields: Item): Item {
  return { type: "custom_tool_call", id: `ctc_${callId}`, status: "completed", call_id: callId, ...fields };
}
