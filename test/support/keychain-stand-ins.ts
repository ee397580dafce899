/**
 * Executables in place of macOS's `security` and libsecret's `secret-tool`. They follow the real tools' command lines
 * (security(1), secret-tool(1)), keep the items in a file, and write every command line that they get to a record, as
 * any other program of the machine could see it.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface StandIn {
  readonly command: string;
  /** Every command line so far, without the program's name. */
  argvs(): string[][];
  /** What is kept, by service and account. */
  items(): Readonly<Record<string, string>>;
  /** From now on it fails like a locked or unreachable keychain. */
  break(): void;
}

/** Both share this: the record, the items, a switch that breaks them. */
const COMMON = `
  const { appendFileSync, existsSync, readFileSync, writeFileSync } = require("node:fs");
  const base = __filename + ".data";
  const argv = process.argv.slice(2);
  appendFileSync(base + "/argv", JSON.stringify(argv) + "\\n");
  const items = existsSync(base + "/items") ? JSON.parse(readFileSync(base + "/items", "utf8")) : {};
  const save = () => writeFileSync(base + "/items", JSON.stringify(items));
  const isBroken = existsSync(base + "/broken");
  const stdin = () => readFileSync(0, "utf8");
  const after = (args, flag) => { const at = args.indexOf(flag); return at < 0 ? undefined : args[at + 1]; };
`;

const SECURITY = String.raw`
  function words(line) {
    const found = [];
    for (const [, quoted, plain] of line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g))
      found.push(quoted === undefined ? plain : quoted.replace(/\\(.)/g, "$1"));
    return found;
  }
  function run([command, ...args]) {
    if (isBroken) { console.error("security: SecKeychainItemCopyContent: User interaction is not allowed."); return 36; }
    const key = after(args, "-s") + "/" + after(args, "-a");
    switch (command) {
      case "find-generic-password":
        if (!(key in items)) { console.error("security: SecKeychainSearchCopyNext: The specified item could not be found in the keychain."); return 44; }
        if (args.includes("-w")) console.log(items[key]);
        else console.log('keychain: "login.keychain-db"');
        return 0;
      case "add-generic-password":
        if (key in items && !args.includes("-U")) { console.error("security: SecKeychainItemCreateFromContent: The specified item already exists in the keychain."); return 45; }
        items[key] = args.includes("-X") ? Buffer.from(after(args, "-X"), "hex").toString("utf8") : after(args, "-w");
        save();
        return 0;
      case "delete-generic-password":
        if (!(key in items)) { console.error("security: SecKeychainSearchCopyNext: The specified item could not be found in the keychain."); return 44; }
        delete items[key];
        save();
        return 0;
      default:
        console.error("security: unknown command");
        return 2;
    }
  }
  if (argv[0] === "-i") {
    for (const line of stdin().split("\n")) {
      const args = words(line);
      if (args.length === 0) continue;
      const code = run(args);
      if (code !== 0) console.error(args[0] + ": returned " + code);
    }
  } else process.exitCode = run(argv);
`;

const SECRET_TOOL = `
  const [command, ...args] = argv;
  const key = after(args, "service") + "/" + after(args, "account");
  if (isBroken) { console.error("secret-tool: Cannot autolaunch D-Bus without X11 $DISPLAY"); process.exitCode = 1; }
  else switch (command) {
    case "store":
      if (!args.some((arg) => arg.startsWith("--label="))) { console.error("usage: secret-tool store --label='label' attribute value ..."); process.exitCode = 2; break; }
      items[key] = stdin();
      save();
      break;
    case "lookup":
      if (key in items) process.stdout.write(items[key]);
      else process.exitCode = 1;
      break;
    case "clear":
      if (!(key in items)) { process.exitCode = 1; break; }
      delete items[key];
      save();
      break;
    default:
      console.error("usage: secret-tool store --label='label' attribute value ...");
      process.exitCode = 2;
  }
`;

export function installSecurity(directory: string): StandIn {
  return install(join(directory, "security"), SECURITY);
}

export function installSecretTool(directory: string): StandIn {
  return install(join(directory, "secret-tool"), SECRET_TOOL);
}

function install(command: string, body: string): StandIn {
  const data = `${command}.data`;
  mkdirSync(data, { recursive: true });
  // Files without an ending in a directory without package.json are CommonJS.
  writeFileSync(command, `#!${process.execPath}\n${COMMON}${body}`);
  chmodSync(command, 0o755);
  const read = (name: string): string => {
    const path = join(data, name);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  };
  return {
    command,
    argvs: () =>
      read("argv")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as string[]),
    items: () => JSON.parse(read("items") || "{}") as Record<string, string>,
    break() {
      writeFileSync(join(data, "broken"), "");
    },
  };
}
