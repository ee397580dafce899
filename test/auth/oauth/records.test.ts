import { describe, expect, it } from "vitest";
import { openOAuthDatabase } from "../../../src/auth/oauth/database.ts";
import { createRecords } from "../../../src/auth/oauth/records.ts";

const START = Date.UTC(2026, 0, 1);

function records(refreshGraceMs = 0) {
  const opened = openOAuthDatabase(null, START);
  if (!opened.ok) throw new Error(opened.failure);
  const { sql } = opened.value;
  const time = { now: START };
  const of = createRecords({ sql, now: () => time.now, refreshGraceMs, judgeClient: () => {} });
  const count = (kind: string): number =>
    Number(sql.prepare("SELECT count(*) AS n FROM records WHERE kind = ?").get(kind)?.["n"]);
  return { of, time, count, sql };
}

describe("what the authorization server remembers", () => {
  it("is found by the id that was given, until its time is over", async () => {
    const { of, time, count } = records();
    const grants = of("Grant");
    await grants.upsert("g1", { clientId: "c", iat: 1 }, 10);
    expect(await grants.find("g1")).toEqual({ clientId: "c", iat: 1, jti: "g1" });
    expect(await grants.find("g2")).toBeUndefined();
    expect(await of("Session").find("g1")).toBeUndefined();
    time.now += 10_000;
    expect(await grants.find("g1")).toBeUndefined();
    await grants.upsert("g2", { clientId: "c" }, 10);
    expect(count("Grant")).toBe(1);
  });

  it("is replaced by the same id, keeps its place, and goes when it is told to", async () => {
    const { of, count } = records();
    const sessions = of("Session");
    await sessions.upsert("s1", { uid: "u1", accountId: "owner" }, 10);
    await sessions.upsert("s1", { uid: "u2", accountId: "owner" }, 10);
    expect(count("Session")).toBe(1);
    expect(await sessions.findByUid("u1")).toBeUndefined();
    expect(await sessions.findByUid("u2")).toMatchObject({ accountId: "owner" });
    await sessions.destroy("s1");
    expect(await sessions.find("s1")).toBeUndefined();
  });

  it("has nothing in it that a client could present, nor the cookie of a browser", async () => {
    const { of, sql } = records();
    const session = { accountId: "owner", uid: "u1", cookie: "cookie-of-the-browser" };
    await of("RefreshToken").upsert(
      "refresh-token-itself",
      { jti: "refresh-token-itself", grantId: "g1" },
      10,
    );
    await of("Interaction").upsert("interaction-itself", { jti: "interaction-itself", session }, 10);
    const rows = JSON.stringify(sql.prepare("SELECT * FROM records").all());
    expect(rows).not.toMatch(/refresh-token-itself|interaction-itself|cookie-of-the-browser/);
    expect(await of("RefreshToken").find("refresh-token-itself")).toMatchObject({
      jti: "refresh-token-itself",
    });
  });

  it("is used up once: the second use ends the sign-in with all that came of it", async () => {
    const { of } = records();
    const [grants, tokens, codes] = [of("Grant"), of("RefreshToken"), of("AuthorizationCode")];
    for (const grant of ["g1", "g2"]) {
      await grants.upsert(grant, { clientId: "c" }, 100);
      await tokens.upsert(`t-${grant}`, { grantId: grant }, 100);
      await tokens.upsert(`next-${grant}`, { grantId: grant }, 100);
      await codes.upsert(`c-${grant}`, { grantId: grant }, 100);
    }
    await tokens.consume("t-g1");
    expect(await tokens.find("t-g1")).toMatchObject({ consumed: START / 1000 });
    await expect(tokens.consume("t-g1")).rejects.toMatchObject({ error: "invalid_grant" });
    for (const [adapter, id] of [
      [grants, "g1"],
      [tokens, "t-g1"],
      [tokens, "next-g1"],
      [codes, "c-g1"],
    ] as const) {
      expect(await adapter.find(id)).toBeUndefined();
    }
    expect(await grants.find("g2")).toBeDefined();
    expect(await tokens.find("t-g2")).toBeDefined();
  });

  it("stays used up when the clock is set back, with and without a grace", async () => {
    for (const graceMs of [0, 5_000]) {
      const { of, time } = records(graceMs);
      const tokens = of("RefreshToken");
      await tokens.upsert("t", { grantId: "g" }, 100);
      await tokens.consume("t");
      time.now -= 3_600_000;
      expect(await tokens.find("t")).toHaveProperty("consumed");
      await expect(tokens.consume("t")).rejects.toMatchObject({ error: "invalid_grant" });
    }
  });

  it("keeps a registered client that the owner let in, however many strangers register", async () => {
    const { of, count } = records();
    const clients = of("Client");
    await clients.upsert("known", { client_id: "known" }, 600);
    await clients.upsert("stranger", { client_id: "stranger" }, 600);
    await of("Grant").upsert("g", { clientId: "known" }, 100);
    for (let index = 0; index < 60; index += 1) {
      await clients.upsert(`c${index}`, { client_id: `c${index}` }, 600);
    }
    expect(await clients.find("known")).toBeDefined();
    expect(await clients.find("stranger")).toBeUndefined();
    expect(count("Client")).toBe(51);
  });

  it("may be used again within the grace that the owner gives, counted from the first use", async () => {
    const { of, time } = records(5_000);
    const tokens = of("RefreshToken");
    await tokens.upsert("t", { grantId: "g" }, 100);
    await tokens.consume("t");
    time.now += 4_000;
    expect(await tokens.find("t")).not.toHaveProperty("consumed");
    await tokens.consume("t");
    time.now += 1_000;
    expect(await tokens.find("t")).toHaveProperty("consumed");
    await expect(tokens.consume("t")).rejects.toMatchObject({ error: "invalid_grant" });
    // Codes have none.
    const codes = of("AuthorizationCode");
    await codes.upsert("c", { grantId: "g" }, 100);
    await codes.consume("c");
    expect(await codes.find("c")).toHaveProperty("consumed");
  });

  it("is bounded where anybody may add to it: the oldest go first", async () => {
    const { of, count } = records();
    const interactions = of("Interaction");
    for (let index = 0; index < 1_100; index += 1)
      await interactions.upsert(`i${index}`, { returnTo: "x" }, 600);
    expect(count("Interaction")).toBe(1_000);
    expect(await interactions.find("i0")).toBeUndefined();
    expect(await interactions.find("i1099")).toBeDefined();
  });

  it("goes by its grant, one kind at a time, as the library asks", async () => {
    const { of } = records();
    await of("RefreshToken").upsert("t", { grantId: "g" }, 100);
    await of("AuthorizationCode").upsert("c", { grantId: "g" }, 100);
    await of("RefreshToken").revokeByGrantId("g");
    expect(await of("RefreshToken").find("t")).toBeUndefined();
    expect(await of("AuthorizationCode").find("c")).toBeDefined();
  });
});
