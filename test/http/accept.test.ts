import { expect, it } from "vitest";
import { parseAccept } from "../../src/http/accept.ts";

it.each([
  [null, true, false],
  ["", true, false],
  ["*/*", true, false],
  ["application/json", true, false],
  ["application/*", true, false],
  ["text/event-stream", false, true],
  ["text/*", false, true],
  ["application/json, text/event-stream", true, true],
  ["text/event-stream,application/json", true, true],
  ["Application/JSON; q=0.9 , TEXT/EVENT-STREAM;q=0.5", true, true],
  ["text/event-stream, */*;q=0.1", true, true],
  ["application/json;q=0, text/event-stream", false, true],
  ["application/json, text/event-stream;q=0.000", true, false],
  ["text/html", false, false],
  ["text/html, image/png", false, false],
  ["application/jsonp", false, false],
])("Accept %j means JSON %s, stream %s", (header, json, sse) => {
  expect(parseAccept(header)).toEqual({ json, sse });
});
