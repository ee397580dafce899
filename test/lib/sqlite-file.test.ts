import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { migrate, openSqliteFile } from "../../src/lib/sqlite-file.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sqlite-file-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** What another process hears that wants the file for itself. */
async function elsewhere(path: string): Promise<string> {
  const script = `const { DatabaseSync } = require("node:sqlite");
    try { new DatabaseSync(${JSON.stringify(path)}).exec("BEGIN EXCLUSIVE"); console.log("taken"); }
    catch (error) { console.log(error.message); }`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--no-warnings", "-e", script]);
  return stdout.trim();
}

test("whoever opens a file a second time lets go of no lock of the first", async () => {
  const path = join(directory, "a.sqlite");
  const first = openSqliteFile(path, (sql) => {
    sql.exec("BEGIN EXCLUSIVE");
  });
  const second = openSqliteFile(path, () => {});
  expect(await elsewhere(path)).toBe("database is locked");
  second.close();
  first.close();
  expect(await elsewhere(path)).toBe("taken");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("steps are taken once, a step that fails leaves the version as it was, a newer version is left alone", () => {
  const sql = openSqliteFile(join(directory, "b.sqlite"), () => {});
  const steps = ["CREATE TABLE one (a)", "CREATE TABLE two (a)"];
  expect(migrate(sql, steps)).toBeNull();
  expect(migrate(sql, steps)).toBeNull();
  expect(() => migrate(sql, [...steps, "CREATE TABLE three (a)", "CREATE TABLE one (a)"])).toThrow("exists");
  expect(migrate(sql, [...steps, "CREATE TABLE three (a)"])).toBeNull();
  expect(migrate(sql, steps)).toBe(3);
  sql.close();
});
