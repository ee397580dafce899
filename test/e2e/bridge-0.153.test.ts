import { bridgeContract } from "../contract/bridge.ts";

bridgeContract({ backend: "app-server", version: "0.153.4", lacks: [] });
