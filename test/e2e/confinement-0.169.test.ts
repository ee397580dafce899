import { confinementContract } from "../contract/confinement.ts";

confinementContract({ backend: "app-server", version: "0.169.0", model: "scripted-model" });
confinementContract({ backend: "app-server", version: "0.169.0", model: "gpt-6-astra" });
