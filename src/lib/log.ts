/** Where the bridge tells its owner what happens: JSON lines on stderr (pretty on a terminal). Never stdout. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What every room may use to log; `fields` first so that no message needs string building. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Takes whole lines. */
export interface LogDestination {
  write(line: string): unknown;
}

export function createLog(level: LogLevel, destination: LogDestination): Log {
  const least = logLevels.indexOf(level);
  const at = (name: Exclude<LogLevel, "silent">) => {
    const isHeard = logLevels.indexOf(name) >= least;
    return (fields: LogFields, message: string): void => {
      if (isHeard) destination.write(toLine(name, fields, message));
    };
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function toLine(level: string, fields: LogFields, message: string): string {
  return `${JSON.stringify({ level, time: new Date().toISOString(), ...fields, msg: message }, plain)}\n`;
}

/** What JSON would lose or refuse. */
function plain(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return { type: name, message, stack, ...(cause === undefined ? {} : { cause }) };
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
