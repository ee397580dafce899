import { afterEach, describe, expect, it } from "vitest";
import { createAttempts } from "../../../src/auth/oauth/attempts.ts";
import { openOAuthDatabase, readFact } from "../../../src/auth/oauth/database.ts";
import { createPasscodeCheck, hasPasscode, makePasscode } from "../../../src/auth/oauth/passcode.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import {
  createAuthorization,
  createBrowser,
  openHouse,
  passcode,
  signIn,
  type House,
} from "./sign-in-house.ts";

function database() {
  const opened = openOAuthDatabase(null, 0);
  if (!opened.ok) throw new Error(opened.failure);
  return opened.value.sql;
}

describe("a passcode", () => {
  it("that the bridge makes is long enough, easy to type, and kept as a hash", async () => {
    const sql = database();
    expect(hasPasscode(sql)).toBe(false);
    const made = await makePasscode(sql);
    expect(made).toMatch(/^[A-HJKMNP-Z2-9]{4}-[A-HJKMNP-Z2-9]{4}-[A-HJKMNP-Z2-9]{4}$/);
    expect(hasPasscode(sql)).toBe(true);
    expect(readFact(sql, "passcode")).not.toContain(made.replaceAll("-", ""));
    const isPasscode = createPasscodeCheck(sql, null);
    for (const typed of [
      made,
      made.toLowerCase(),
      made.replaceAll("-", ""),
      ` ${made.replaceAll("-", " ")} `,
    ]) {
      expect(await isPasscode(typed)).toBe(true);
    }
    for (const typed of ["", made.slice(1), `${made}A`, "AAAA-AAAA-AAAA"])
      expect(await isPasscode(typed)).toBe(false);
  });

  it("that is made anew takes the place of the one before, also for a bridge that runs", async () => {
    const sql = database();
    const isPasscode = createPasscodeCheck(sql, null);
    const first = await makePasscode(sql);
    const second = await makePasscode(sql);
    expect(await isPasscode(first)).toBe(false);
    expect(await isPasscode(second)).toBe(true);
  });

  it("of the owner's own alone counts, to the letter", async () => {
    const sql = database();
    const made = await makePasscode(sql);
    const isPasscode = createPasscodeCheck(sql, "Correct horse");
    expect(await isPasscode("Correct horse")).toBe(true);
    for (const typed of [made, "correct horse", "Correct horse ", "", "Correct hors"]) {
      expect(await isPasscode(typed)).toBe(false);
    }
  });

  it("where there is none, nothing is right", async () => {
    expect(await createPasscodeCheck(database(), null)("")).toBe(false);
  });
});

describe("guessing", () => {
  it("is slowed after the third time, more with each, and forgiven after a while", async () => {
    const clock = createFakeClock();
    const attempts = createAttempts(clock);
    for (let count = 0; count < 3; count += 1) {
      expect(attempts.begin()).toBe(0);
      attempts.wrong();
    }
    const waits = [];
    for (let count = 0; count < 8; count += 1) {
      const wait = attempts.begin();
      waits.push(wait);
      await clock.advance(wait);
      expect(attempts.begin()).toBe(0);
      attempts.wrong();
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    await clock.advance(16 * 60_000);
    expect(attempts.begin()).toBe(0);
    attempts.right();
    expect(attempts.begin()).toBe(0);
  });

  it("many at once is looked at one by one", () => {
    const attempts = createAttempts(createFakeClock());
    expect(attempts.begin()).toBe(0);
    expect(attempts.begin()).toBeGreaterThan(0);
    attempts.wrong();
    expect(attempts.begin()).toBe(0);
  });
});

describe("guessing on the consent page", () => {
  let house: House;
  afterEach(async () => house.stop());

  it("is told to wait, also with the right one, until the time is over; each guess is on record", async () => {
    let offset = 0;
    const clock = { ...systemClock, monotonic: () => offset };
    house = await openHouse({ clock });
    const browser = createBrowser(house.port);
    const page = String((await browser.get(createAuthorization().address)).headers.location);
    for (let count = 0; count < 3; count += 1) {
      const wrong = await browser.submit(page, { decision: "allow", passcode: `guess number ${count}` });
      expect(wrong.status).toBe(403);
      expect(wrong.body).toContain('role="alert"');
    }
    const early = await browser.submit(page, { decision: "allow", passcode });
    expect(early.status).toBe(429);
    expect(early.headers["retry-after"]).toBe("1");
    offset += 1_000;
    const right = await browser.submit(page, { decision: "allow", passcode, write: "yes" });
    expect(right.status).toBe(303);
    expect(house.consents.map(({ outcome }) => outcome)).toEqual([
      "wrong_passcode",
      "wrong_passcode",
      "wrong_passcode",
      "too_many_attempts",
      "granted",
    ]);
    await signIn(house.port, createAuthorization());
  });
});
