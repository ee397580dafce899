/** Remembers what directories held, by their paths, as long as the process lives. Forgets all when it is full. */
import type { KnownListing } from "./content-directory.ts";

export interface DirectoryMemory {
  readonly recall: (path: string) => KnownListing | null;
  readonly learn: (path: string, listing: KnownListing) => void;
}

/** About the bytes that one more directory takes, names aside. */
const OVERHEAD = 200;

export function createDirectoryMemory(maxBytes = 16 * 2 ** 20): DirectoryMemory {
  const listings = new Map<string, KnownListing>();
  let bytes = 0;
  return {
    recall: (path) => listings.get(path) ?? null,
    learn: (path, listing) => {
      const before = listings.get(path);
      bytes += sizeOf(path, listing) - (before === undefined ? 0 : sizeOf(path, before));
      if (bytes > maxBytes) {
        listings.clear();
        bytes = sizeOf(path, listing);
      }
      listings.set(path, listing);
    },
  };
}

function sizeOf(path: string, { directories, readable }: KnownListing): number {
  return OVERHEAD + path.length + directories.length + readable.length;
}
