import { describe, expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import { Receiver } from "./receiver.ts";

const session = {} as Session;

describe("a receiver", () => {
  test("wants the fragments of its sub-streams, and tells when these change", () => {
    let changes = 0;
    const receiver = new Receiver(session, 0b100, 16, () => changes++);
    expect([1, 2, 18, 19].filter((number) => receiver.wants(number))).toEqual([2, 18]);
    receiver.mask = 0b100;
    expect(changes).toBe(0);
    receiver.mask = 0b1000;
    expect(changes).toBe(1);
    expect([1, 2, 18, 19].filter((number) => receiver.wants(number))).toEqual([19]);
  });

  test("may ask for so much at once, and again as time goes by", () => {
    const receiver = new Receiver(session, 0, 16, () => {});
    const take = (at: number, most: number): number => {
      let taken = 0;
      while (taken < most && receiver.takeToken(ms(at))) taken++;
      return taken;
    };
    expect(take(1000, 5000)).toBe(512);
    expect(take(1100, 5000)).toBe(51);
    expect(take(60_000, 5000)).toBe(512);
  });

  test("knows what it asked for twice within a moment", () => {
    const receiver = new Receiver(session, 0, 16, () => {});
    expect(receiver.isDoubled(ms(100), 7)).toBe(false);
    expect(receiver.isDoubled(ms(120), 7)).toBe(true);
    expect(receiver.isDoubled(ms(140), 7)).toBe(false);
  });
});
