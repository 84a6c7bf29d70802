import { describe, expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import { isHeldAgainst, type Publisher } from "./publisher-seat.ts";

const ALICE = Uint8Array.of(1, 2, 3);
const BOB = Uint8Array.of(1, 2, 4);
const session = { lastReceivedAt: ms(1000) } as Session;
const remote: Publisher = { session, name: "alice", since: ms(0), node: ALICE };
const local: Publisher = { session: undefined, name: "rtmp", since: ms(0), node: undefined };

describe("the seat of a stream's publisher", () => {
  test("is kept against another while its holder speaks", () => {
    expect(isHeldAgainst(ms(1999), remote, BOB)).toBe(true);
    expect(isHeldAgainst(ms(1999), remote, undefined)).toBe(true);
    expect(isHeldAgainst(ms(2000), remote, BOB)).toBe(false);
  });

  test("is its holder's at any time", () => {
    expect(isHeldAgainst(ms(1000), remote, ALICE)).toBe(false);
  });

  test("held by an encoder in this process is kept until it ends", () => {
    expect(isHeldAgainst(ms(9999), local, ALICE)).toBe(true);
    expect(isHeldAgainst(ms(9999), local, undefined)).toBe(true);
  });
});
