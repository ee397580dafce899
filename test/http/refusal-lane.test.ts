import { describe, expect, it } from "vitest";
import { createRefusalLane } from "../../src/http/refusal-lane.ts";
import { createFakeClock } from "../support/fake-clock.ts";

/** How many of `count` that come at once have left after each of `times` ms. */
async function leaving(count: number, times: readonly number[]): Promise<number[]> {
  const clock = createFakeClock();
  const lane = createRefusalLane(clock);
  let left = 0;
  for (let index = 0; index < count; index += 1) {
    const later = lane.enter();
    if (later === null) left += 1;
    else void later.then(() => (left += 1));
  }
  const seen: number[] = [];
  let now = 0;
  for (const time of times) {
    await clock.advance(time - now);
    now = time;
    seen.push(left);
  }
  return seen;
}

describe("the lane of refusals", () => {
  it("lets one after another go at once", async () => {
    const clock = createFakeClock();
    const lane = createRefusalLane(clock);
    for (let index = 0; index < 1_000; index += 1) {
      expect(lane.enter()).toBeNull();
      await clock.advance(5);
    }
  });

  it("lets a few go at once and a crowd at 200 a second", async () => {
    const [atOnce = 0, afterOne = 0, afterTwo = 0] = await leaving(500, [0, 1_000, 2_000]);
    expect(atOnce).toBe(50);
    expect(afterOne).toBe(250);
    expect(afterTwo).toBe(450);
  });

  it("keeps nobody longer than three seconds, however large the crowd", async () => {
    expect(await leaving(5_000, [2_900, 3_000])).toEqual([630, 5_000]);
  });
});
