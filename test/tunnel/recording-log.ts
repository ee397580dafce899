/** A log that keeps what is said, for tests that look at it. */
import type { Log, LogFields } from "../../src/lib/log.ts";

export interface RecordedLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: LogFields;
  readonly message: string;
}

export function recordingLog(lines: RecordedLine[]): Log {
  const at =
    (level: RecordedLine["level"]) =>
    (fields: LogFields, message: string): void =>
      void lines.push({ level, fields, message });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
