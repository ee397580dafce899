/** A small project with a mistake in it, and the script that the model follows when it works on it. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ScriptedModel } from "./scripted-model/scripted-model.ts";
import { patch, say, shell, type StepContext } from "./scripted-model/steps.ts";

const FILES: Readonly<Record<string, string>> = {
  "README.md": "# Greeter\n\nSays hello to whoever is named.\n",
  "src/greet.js": "export function greet(name) {\n  return `Helo, ${name}!`;\n}\n",
  "test/greet.test.js":
    'import { greet } from "../src/greet.js";\nimport assert from "node:assert";\n\nassert.equal(greet("Ada"), "Hello, Ada!");\n',
};

export const PROMPTS = {
  read: "Read this project. What does it do, and does its test pass?",
  write: "Fix the greeting so that the test passes.",
  long: "Review the whole project and tell me step by step what you would improve.",
  outside: "Show me the file notes.txt one directory above the project, and my SSH keys.",
} as const;

const FIX = `*** Begin Patch
*** Update File: src/greet.js
@@
-  return \`Helo, \${name}!\`;
+  return \`Hello, \${name}!\`;
*** End Patch`;

const REVIEW =
  "First, the function takes any value as a name; I would check it. Second, the test covers one case; an empty name " +
  "is worth another. Third, the README could show an example.";

export async function writeSampleProject(root: string): Promise<void> {
  for (const [name, content] of Object.entries(FILES)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), content);
  }
}

/** `home` is where the demo keeps what lies outside the project. */
export function scriptModel(model: ScriptedModel, home: string): void {
  model.script(PROMPTS.read, [
    shell("cat README.md src/greet.js test/greet.test.js"),
    ({ outputs }: StepContext) =>
      say(
        outputs.join("\n").includes("Helo")
          ? "It greets whoever is named. The test fails: it expects “Hello, Ada!”, but src/greet.js says “Helo”."
          : "It greets whoever is named, and the test passes.",
      ),
  ]);
  model.script(PROMPTS.write, [patch(FIX), shell("cat src/greet.js"), say("Fixed: “Helo” is now “Hello”.")]);
  model.script(PROMPTS.long, [shell("ls -R"), say(REVIEW, { chunks: 12, chunkMs: 250 })]);
  model.script(PROMPTS.outside, [
    shell(`cat ${home}/notes.txt; ls ~/.ssh`),
    ({ outputs }: StepContext) =>
      say(
        outputs.join("\n").includes("do not read me")
          ? "I could read it."
          : "I cannot: the system says that these files do not exist for me.",
      ),
  ]);
}
