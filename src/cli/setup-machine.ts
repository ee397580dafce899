/** What `setup` asks of this machine while the owner answers: is this a project, and which secret files lie in it? */
import { realpathSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { findProgram } from "../lib/find-program.ts";
import { packageRoot } from "../lib/version.ts";
import { looksLikeGlob } from "../policy/glob.ts";
import type { Machine } from "../setup/interview.ts";
import { isInside } from "../workspace/directory.ts";
import { applyExceptions, readExceptions } from "../workspace/exceptions.ts";
import { scanProject } from "../workspace/scan.ts";
import { FIRST_LOOK_MS } from "../workspace/workspace.ts";
import { exceptionsFileOf } from "./exceptions-file.ts";
import { homeOf } from "./service-manager.ts";
import type { Terminal } from "./terminal.ts";

export function createMachine(environment: Terminal["environment"], configFile: string): Machine {
  const home = homeOf(environment);
  return {
    judgeProject(path) {
      const wanted = path.startsWith("~/") || path === "~" ? join(home, path.slice(1)) : path;
      if (!isAbsolute(wanted)) return { problem: "has to begin with / or ~/" };
      if (/\p{Cc}/u.test(wanted)) return { problem: "holds a control character" };
      const real = realDirectory(resolve(wanted));
      if (real === null) return { problem: "is no directory that can be read" };
      if (isInside(real, home)) return { problem: "holds your home directory; choose one below" };
      if (isInside(real, packageRoot.replace(/\/$/, "")))
        return { problem: "holds the program of this bridge; choose another" };
      if (looksLikeGlob(real)) return { problem: "holds one of * ? [ ] { }; rename or move it" };
      return { path: real };
    },
    async hasProgram(name) {
      if (isAbsolute(name)) return (await findProgram(basename(name), dirname(name))) !== null;
      return (await findProgram(name, environment["PATH"])) !== null;
    },
    async lookThrough(root) {
      const { findings, incompleteReason } = await scanProject(root, {
        deadlineMs: FIRST_LOOK_MS,
        content: true,
      });
      const blocking = findings.filter(({ verdict }) => verdict === "block");
      const exceptions = await readExceptions(exceptionsFileOf({ configFile }, environment), [root]);
      const left = await applyExceptions(root, blocking, exceptions.ok ? exceptions.value : [], Date.now());
      return { blocking: left.map(({ path, kind }) => ({ path, kind })), incomplete: incompleteReason };
    },
  };
}

function realDirectory(path: string): string | null {
  try {
    const real = realpathSync.native(path);
    return statSync(real).isDirectory() ? real : null;
  } catch {
    return null; // not there, or not ours to see
  }
}
