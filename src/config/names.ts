/** One rule names a setting everywhere: `fastReturnMs` = CODEX_GPT_BRIDGE_FAST_RETURN_MS = --fast-return-ms = fast_return_ms. */

export function toFileKey(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export function toEnvironmentName(name: string): string {
  return `CODEX_GPT_BRIDGE_${toFileKey(name).toUpperCase()}`;
}

export function toFlag(name: string): string {
  return toFileKey(name).replaceAll("_", "-");
}
