import { createAppServerBackend } from "../../src/codex/app-server/backend.ts";
import { codexBackendContract } from "../contract/codex-backend.ts";

for (const version of ["0.169.0", "0.153.4"] as const) {
  codexBackendContract({
    name: "app-server",
    version,
    create: (parts) => createAppServerBackend(parts, "0.0.0-test"),
    lacks: [],
  });
}
