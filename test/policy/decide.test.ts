import { describe, expect, test } from "vitest";
import {
  decideSandboxOfReply,
  decideTurn,
  defaultSandboxOf,
  isSameDirectory,
  mayWriteTo,
  type Ceiling,
  type Project,
  type TurnFacts,
} from "../../src/policy/decide.ts";
import type { FailureCode } from "../../src/policy/failure.ts";
import type { Grant, Sandbox } from "../../src/policy/grant.ts";

const root = { path: "/srv/app", device: "1", inode: "2" };
const below = { path: "/srv/app/packages/a", device: "1", inode: "3" };
const ceiling: Ceiling = {
  allowWrite: false,
  defaultSandbox: "read-only",
  approvalPolicy: "never",
  network: false,
  mcpServers: [],
  models: ["allowed-model"],
  confinement: "required",
};
const project: Project = { name: "app", root, write: null, secrets: "refuse", model: null, effort: null };
const facts: TurnFacts = {
  ceiling,
  project,
  rootNow: root,
  cwd: root,
  scan: { kind: "clean" },
  steeringLinks: [],
  confinementIsProven: true,
  sandbox: "read-only",
  model: null,
  effort: null,
};
const secrets = {
  kind: "secrets",
  kinds: { "private-key": 1 },
  more: false,
  paths: ["deploy/id_rsa"],
} as const;

/** The code of the refusal, or what was granted. */
function decide(changes: Partial<TurnFacts>): Grant | FailureCode {
  const decision = decideTurn({ ...facts, ...changes });
  return decision.ok ? decision.value : decision.failure.code;
}

/** The code of the refusal, or "granted". */
function answerTo(changes: Partial<TurnFacts>): FailureCode | "granted" {
  const decision = decide(changes);
  return typeof decision === "string" ? decision : "granted";
}

describe("the sandbox", () => {
  const cases: { allowWrite: boolean; write: boolean | null; may: boolean }[] = [
    { allowWrite: false, write: null, may: false },
    { allowWrite: true, write: null, may: true },
    { allowWrite: false, write: true, may: true },
    { allowWrite: true, write: true, may: true },
    { allowWrite: false, write: false, may: false },
    { allowWrite: true, write: false, may: false },
  ];

  describe.each(cases)(
    "with write allowed $allowWrite, for the project $write",
    ({ allowWrite, write, may }) => {
      const terms = { ceiling: { ...ceiling, allowWrite }, project: { ...project, write } };

      test(`may write: ${may}`, () => {
        expect(mayWriteTo(terms.project, terms.ceiling)).toBe(may);
        const answer = may ? "granted" : "sandbox_not_allowed";
        expect(answerTo({ ...terms, sandbox: "workspace-write" })).toBe(answer);
      });

      test("reading is always allowed, and asking for it is never raised", () => {
        for (const defaultSandbox of ["read-only", "workspace-write"] as const) {
          const eager = { ...terms.ceiling, defaultSandbox };
          expect(decide({ ...terms, ceiling: eager, sandbox: "read-only" })).toMatchObject({
            sandbox: "read-only",
          });
        }
      });

      test("a caller who names none gets the owner's default, as far as the project may write", () => {
        for (const defaultSandbox of ["read-only", "workspace-write"] as const) {
          const eager = { ...terms.ceiling, defaultSandbox };
          const expected: Sandbox = may ? defaultSandbox : "read-only";
          expect(defaultSandboxOf(terms.project, eager)).toBe(expected);
          expect(decide({ ...terms, ceiling: eager, sandbox: null })).toMatchObject({ sandbox: expected });
        }
      });

      test("a thread that could write goes on only while it still may", () => {
        expect(decideSandboxOfReply("workspace-write", terms.project, terms.ceiling)).toEqual(
          may
            ? { ok: true, value: "workspace-write" }
            : { ok: false, failure: { code: "sandbox_not_allowed", asked: "workspace-write" } },
        );
      });

      test("a thread that could read goes on reading, whatever is allowed today", () => {
        expect(decideSandboxOfReply("read-only", terms.project, terms.ceiling)).toEqual({
          ok: true,
          value: "read-only",
        });
      });
    },
  );
});

describe("the directory", () => {
  test.each<{ name: string; changes: Partial<TurnFacts> }>([
    { name: "a root that is gone", changes: { rootNow: null } },
    { name: "a root that leads elsewhere now", changes: { rootNow: { ...root, path: "/etc" } } },
    { name: "a root that was swapped for another directory", changes: { rootNow: { ...root, inode: "9" } } },
    { name: "a root on another disk", changes: { rootNow: { ...root, device: "9" } } },
    { name: "a working directory that may not be used", changes: { cwd: null } },
  ])("$name is refused", ({ changes }) => {
    expect(decide(changes)).toBe("cwd_not_allowed");
  });

  test("a directory below the root is granted as it was judged", () => {
    expect(decide({ cwd: below })).toMatchObject({ root, cwd: below });
  });

  test.each([
    { other: { ...root }, same: true },
    { other: { ...root, path: "/srv/App" }, same: false },
    { other: { ...root, device: "11" }, same: false },
    { other: { ...root, inode: "22" }, same: false },
  ])("$other is the same directory: $same", ({ other, same }) => {
    expect(isSameDirectory(root, other)).toBe(same);
  });
});

describe("the model", () => {
  test.each<{ asked: string | null; own: string | null; granted: string | null }>([
    { asked: null, own: null, granted: null },
    { asked: null, own: "own-model", granted: "own-model" },
    { asked: "own-model", own: "own-model", granted: "own-model" },
    { asked: "allowed-model", own: null, granted: "allowed-model" },
    { asked: "allowed-model", own: "own-model", granted: "allowed-model" },
    { asked: "other-model", own: null, granted: "model_not_allowed" },
    { asked: "other-model", own: "own-model", granted: "model_not_allowed" },
    { asked: "ALLOWED-MODEL", own: null, granted: "model_not_allowed" },
    { asked: "allowed-model ", own: null, granted: "model_not_allowed" },
    { asked: "", own: null, granted: "model_not_allowed" },
  ])("asked for $asked where the project has $own: $granted", ({ asked, own, granted }) => {
    const decision = decide({ model: asked, project: { ...project, model: own } });
    expect(typeof decision === "string" ? decision : decision.model).toBe(granted);
  });

  test.each([
    { asked: null, own: null, granted: null },
    { asked: null, own: "high", granted: "high" },
    { asked: "low", own: "high", granted: "low" },
    { asked: "anything", own: null, granted: "anything" },
  ])("effort $asked where the project has $own is $granted", ({ asked, own, granted }) => {
    expect(decide({ effort: asked, project: { ...project, effort: own } })).toMatchObject({
      effort: granted,
    });
  });
});

describe("the scan", () => {
  test.each([
    { scan: { kind: "clean" } as const, code: "granted" },
    { scan: secrets, code: "secrets_found" },
    { scan: { kind: "incomplete", reason: "slow" } as const, code: "scan_incomplete" },
  ])("$scan.kind is answered with $code", ({ scan, code }) => {
    expect(answerTo({ scan })).toBe(code);
  });

  test("a refusal tells kinds and counts, never paths", () => {
    expect(decideTurn({ ...facts, scan: secrets })).toEqual({
      ok: false,
      failure: { code: "secrets_found", kinds: { "private-key": 1 }, more: false },
    });
  });
});

describe("hidden secrets", () => {
  const masked: Partial<TurnFacts> = { project: { ...project, secrets: "mask" } };

  test.each<{ name: string; changes: Partial<TurnFacts>; code: string }>([
    {
      name: "a scan that ended early",
      changes: { ...masked, scan: { ...secrets, more: true } },
      code: "secrets_found",
    },
    {
      name: "a scan that could not look everywhere",
      changes: { ...masked, scan: { kind: "incomplete", reason: "slow" } },
      code: "scan_incomplete",
    },
    {
      name: "a machine that does not hide",
      changes: { ...masked, scan: secrets, confinementIsProven: false },
      code: "confinement_unavailable",
    },
    {
      name: "more of them than can be hidden",
      changes: {
        ...masked,
        scan: { ...secrets, paths: Array.from({ length: 200 }, (_, n) => `${n}.pem`) },
      },
      code: "confinement_unavailable",
    },
  ])("$name is refused as $code", ({ changes, code }) => {
    expect(decide(changes)).toBe(code);
  });

  test("are denied by their absolute paths", () => {
    expect(decide({ ...masked, scan: secrets })).toMatchObject({
      deniedPaths: ["/srv/app/deploy/id_rsa"],
      deniedPatterns: [],
      heldDirectories: [],
    });
  });

  test("are denied by name too, where the turn may write new ones", () => {
    const writing = { ceiling: { ...ceiling, allowWrite: true }, sandbox: "workspace-write" as const };
    const granted = decide({ ...masked, ...writing, scan: { kind: "clean" } });
    expect(granted).toMatchObject({ deniedPaths: [] });
    expect(JSON.stringify(granted)).toContain("/srv/app/**/.[eE][nN][vV]");
  });

  test("nothing is denied where the owner does not look", () => {
    expect(decide({ project: { ...project, secrets: "off" }, scan: secrets })).toMatchObject({
      deniedPaths: [],
      deniedPatterns: [],
      heldDirectories: [],
    });
  });
});

describe("a confinement that is not proven", () => {
  test.each<{
    confinement: Ceiling["confinement"];
    sandbox: Sandbox;
    mode: Project["secrets"];
    may: boolean;
  }>([
    { confinement: "required", sandbox: "read-only", mode: "refuse", may: false },
    { confinement: "required", sandbox: "read-only", mode: "off", may: false },
    { confinement: "best-effort", sandbox: "read-only", mode: "refuse", may: true },
    { confinement: "best-effort", sandbox: "read-only", mode: "off", may: true },
    { confinement: "best-effort", sandbox: "read-only", mode: "mask", may: false },
    { confinement: "best-effort", sandbox: "workspace-write", mode: "refuse", may: false },
    { confinement: "best-effort", sandbox: "workspace-write", mode: "off", may: false },
  ])("$confinement, $sandbox, secrets $mode: may start $may", ({ confinement, sandbox, mode, may }) => {
    const answer = answerTo({
      ceiling: { ...ceiling, allowWrite: true, confinement },
      project: { ...project, secrets: mode },
      sandbox,
      confinementIsProven: false,
    });
    expect(answer).toBe(may ? "granted" : "confinement_unavailable");
  });
});

describe("what is refused first", () => {
  const everything: Partial<TurnFacts> = {
    cwd: null,
    sandbox: "workspace-write",
    model: "other-model",
    confinementIsProven: false,
    scan: secrets,
  };

  test.each<{ right: Partial<TurnFacts>; code: string }>([
    { right: {}, code: "cwd_not_allowed" },
    { right: { cwd: root }, code: "sandbox_not_allowed" },
    { right: { cwd: root, sandbox: "read-only" }, code: "model_not_allowed" },
    { right: { cwd: root, sandbox: "read-only", model: null }, code: "confinement_unavailable" },
    {
      right: { cwd: root, sandbox: "read-only", model: null, confinementIsProven: true },
      code: "secrets_found",
    },
  ])("is $code when $right is right", ({ right, code }) => {
    expect(decide({ ...everything, ...right })).toBe(code);
  });
});

test("a grant holds the owner's terms, and nothing of the caller's beyond what was judged", () => {
  const owners: Ceiling = {
    ...ceiling,
    approvalPolicy: "on-request",
    network: true,
    mcpServers: ["docs"],
  };
  expect(decide({ ceiling: owners, cwd: below, effort: "low" })).toEqual({
    project: "app",
    root,
    cwd: below,
    sandbox: "read-only",
    approvalPolicy: "on-request",
    network: true,
    mcpServers: ["docs"],
    model: null,
    effort: "low",
    deniedPaths: [],
    deniedPatterns: [],
    heldDirectories: [],
  });
});
