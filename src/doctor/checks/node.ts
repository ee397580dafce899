/** Which Node runs this? The door has turned an older one away before anything could be checked. */
import { fine, type Check } from "../check.ts";

export const node: Check = {
  name: "node",
  title: "Node",
  run: async ({ nodeVersion }) => fine(nodeVersion),
};
