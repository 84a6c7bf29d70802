import { describe, expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import type { ReportPacket } from "../../wire/swarm.ts";
import { createSwarmParams } from "../swarm-params.ts";
import { Member, nodeKey } from "./member.ts";

const PARAMS = createSwarmParams({ uplinkGuessBps: 1_000_000, pushShare: 0.5 });

function member(report?: Partial<ReportPacket>): Member {
  const address = { family: 4, ip: "192.0.2.1", port: 7 };
  const session = { address } as unknown as Session;
  const made = new Member(session, new Uint8Array(8), new Uint8Array(), 0, ms(0), 4);
  if (report !== undefined) made.report = { limitBps: 0, ...report } as ReportPacket;
  return made;
}

describe("a member", () => {
  test("may be given no child before its first report, nor when it only consumes or pays", () => {
    expect(member().childrenAffordable(PARAMS, 50_000)).toBe(0);
    expect(member({ consumeOnly: true }).childrenAffordable(PARAMS, 50_000)).toBe(0);
    expect(member({ metered: true }).childrenAffordable(PARAMS, 50_000)).toBe(0);
    expect(member({}).childrenAffordable(PARAMS, 50_000)).toBe(10);
  });

  test("is trusted with half as much again as it has proven, within its limit and ceiling", () => {
    const proven = member({});
    proven.provenBps = 1_000_000;
    expect(proven.uplinkBps(PARAMS)).toBe(3_000_000);
    proven.ceilingBps = 800_000;
    expect(proven.uplinkBps(PARAMS)).toBe(1_600_000);
    expect(member({ limitBps: 300_000 }).uplinkBps(PARAMS)).toBe(300_000);
  });

  test("that fails with most holders is a hard guest", () => {
    const guest = member();
    guest.guestFails = 1;
    expect(guest.isHardGuest).toBe(false);
    guest.guestFails = 2;
    expect(guest.isHardGuest).toBe(true);
    guest.guestOk = 2;
    expect(guest.isHardGuest).toBe(false);
  });

  test("has a key that is its node id in hexadecimal", () => {
    expect(nodeKey(new Uint8Array([0, 255, 16]))).toBe("00ff10");
  });
});
