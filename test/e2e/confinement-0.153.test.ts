import { confinementContract } from "../contract/confinement.ts";

confinementContract({ backend: "app-server", version: "0.153.4", model: "scripted-model" });
confinementContract({ backend: "mcp-server", version: "0.153.4", model: "scripted-model" });
