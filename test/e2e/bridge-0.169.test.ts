import { bridgeContract } from "../contract/bridge.ts";

bridgeContract({ backend: "app-server", version: "0.169.0", lacks: [] });
