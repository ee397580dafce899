/** Pieces of content that the conformance fixture hands out. */
export const image = {
  type: "image",
  mimeType: "image/png",
  // One red pixel.
  data: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==",
} as const;

export const audio = {
  type: "audio",
  mimeType: "audio/wav",
  // No sample at all.
  data: "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=",
} as const;

export function text(value: string): { type: "text"; text: string } {
  return { type: "text", text: value };
}
