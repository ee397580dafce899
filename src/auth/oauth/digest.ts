import { hash } from "node:crypto";

/** What is kept of something that a client can present. It was made at random, so a plain hash is enough. */
export function digest(secret: string): string {
  return hash("sha256", secret, "base64url");
}
