import { bridgeContract } from "../contract/bridge.ts";

bridgeContract({ backend: "mcp-server", version: "0.153.4", lacks: ["outputSchema"] });
