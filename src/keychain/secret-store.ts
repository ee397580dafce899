import type { Result } from "../lib/result.ts";
import type { SecretItem } from "./secret-items.ts";

/**
 * Port to a place where secrets are kept for the owner's user; test/contract/secret-store.ts is its suite.
 *
 * - `read` gives the value, or null where there is none.
 * - `write` takes a storable value (`isStorable`) and replaces what was there. It is ok only when the value can be read
 *   back.
 * - `remove` says whether there was one.
 *
 * A store that cannot be used refuses in plain words without any value in them; nothing throws. No value is ever among
 * the arguments of a program.
 */
export interface SecretStore {
  readonly kind: "macos-keychain" | "secret-service" | "file";
  /** For the owner: "the macOS Keychain". */
  readonly title: string;
  read(item: SecretItem): Promise<Result<string | null, string>>;
  write(item: SecretItem, value: string): Promise<Result<null, string>>;
  remove(item: SecretItem): Promise<Result<boolean, string>>;
}
