/** Reads several secrets at once, the system's keychain first and then the file. Never says a value to anybody else. */
import type { Stores } from "./open-stores.ts";
import { secretItems, type SecretItemName } from "./secret-items.ts";

export interface FoundSecrets {
  readonly values: ReadonlyMap<SecretItemName, string>;
  /** Stores that could not be read, in words for the owner; each once. */
  readonly problems: readonly string[];
}

export async function readSecrets(stores: Stores, wanted: readonly SecretItemName[]): Promise<FoundSecrets> {
  const values = new Map<SecretItemName, string>();
  const problems = new Set<string>();
  await Promise.all(
    wanted.map(async (name) => {
      for (const store of [stores.system, stores.file]) {
        if (store === null) continue;
        const read = await store.read(secretItems[name]);
        if (!read.ok) problems.add(`${store.title}: ${read.failure}`);
        else if (read.value !== null && read.value !== "") {
          values.set(name, read.value);
          return;
        }
      }
    }),
  );
  return { values, problems: [...problems] };
}
