/**
 * Whoever runs the tests as root is stopped by no file mode: what an ordinary user may not read is tried in a process of
 * user 65534. That user has to reach this Node and this package; where it cannot (a checkout below /root), the test is
 * skipped, and says so.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

/** For `spawn`. */
export const asNobody = isRoot ? { uid: NOBODY, gid: NOBODY } : {};

const door = join(import.meta.dirname, "..", "..", "src", "bridge.ts");

/** null, or why an ordinary user cannot run this package here. */
export const whyNobodyCannot: string | null = isRoot ? tryIt() : null;

function tryIt(): string | null {
  const { status, error } = spawnSync(process.execPath, [door, "--version"], {
    ...asNobody,
    stdio: "ignore",
  });
  if (status === 0) return null;
  return `user ${NOBODY} cannot run ${process.execPath} on ${door} (${error?.message ?? `exit ${status}`})`;
}
