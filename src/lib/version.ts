/** The version in package.json, which lies one level above both src/ and dist/. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

export const version =
  typeof manifest === "object" &&
  manifest !== null &&
  "version" in manifest &&
  typeof manifest.version === "string"
    ? manifest.version
    : "0.0.0";

/** The directory that holds package.json. */
export const packageRoot = fileURLToPath(new URL("../..", import.meta.url));
