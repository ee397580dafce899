/** What every SecretStore does: the system's keychains behind stand-ins, and the file. */
import { describe, expect, it } from "vitest";
import { secretItems } from "../../src/keychain/secret-items.ts";
import type { SecretStore } from "../../src/keychain/secret-store.ts";

/** `open` gives a store that knows of nothing. */
export function describeSecretStore(name: string, open: () => SecretStore): void {
  describe(`the secret store: ${name}`, () => {
    const { token, openaiApiKey } = secretItems;

    it("has nothing at first, and to remove nothing is no failure", async () => {
      const store = open();
      expect(await store.read(token)).toEqual({ ok: true, value: null });
      expect(await store.remove(token)).toEqual({ ok: true, value: false });
    });

    it("gives back what was written, item by item, and forgets what is removed", async () => {
      const store = open();
      expect(await store.write(token, "the-token")).toEqual({ ok: true, value: null });
      expect(await store.write(openaiApiKey, "the-key")).toEqual({ ok: true, value: null });
      expect(await store.read(token)).toEqual({ ok: true, value: "the-token" });
      expect(await store.remove(token)).toEqual({ ok: true, value: true });
      expect(await store.read(token)).toEqual({ ok: true, value: null });
      expect(await store.read(openaiApiKey)).toEqual({ ok: true, value: "the-key" });
    });

    it("replaces what was there", async () => {
      const store = open();
      await store.write(token, "old");
      await store.write(token, "new");
      expect(await store.read(token)).toEqual({ ok: true, value: "new" });
    });

    it.each([
      ["quotes and backslashes", String.raw`a"b'c\d\\e`],
      ["what a shell would read", "$(id) `id` ; rm -rf / #!%~*?"],
      ["spaces inside", "four words of text"],
      ["a long value", "k".repeat(1_500)],
    ])("keeps %s unchanged", async (_name, value) => {
      const store = open();
      expect(await store.write(token, value)).toEqual({ ok: true, value: null });
      expect(await store.read(token)).toEqual({ ok: true, value });
    });

    it.each([
      ["a line break", "one\ntwo"],
      ["nothing", ""],
      ["space around it", " value "],
      ["other letters", "schlüssel"],
      ["too much", "k".repeat(1_501)],
    ])("refuses %s, keeps what was there, and does not repeat the value", async (_name, value) => {
      const store = open();
      await store.write(token, "before");
      const written = await store.write(token, value);
      expect(written).toEqual({ ok: false, failure: "the value is not one line of plain text" });
      expect(await store.read(token)).toEqual({ ok: true, value: "before" });
    });
  });
}
