/** Random ids that a person may have to type: letters and digits alone, since a dash in front would make a flag of one. */
import { customAlphabet } from "nanoid";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Makes ids of that many characters, each worth 5.95 random bits. */
export function plainIds(length: number): () => string {
  const make = customAlphabet(ALPHABET, length);
  return () => make();
}
