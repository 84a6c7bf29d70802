import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { HOT_PATHS, readSettled, takeAck, testHotPath } from "../../wasm/testing.ts";
import {
  compare,
  firstNumber,
  type Operation,
  runs,
  type Side,
} from "../../wasm/testing-compare.ts";
import { encodeDataHead, HEAD_BYTES, PacketType } from "../../wire/packet.ts";
import { Fan, type HotPath, MAX_IN_FLIGHT } from "./hot-path.ts";

interface Fragment {
  readonly number: number;
  readonly index: number;
  readonly total: number;
  readonly flags: number;
  readonly size: number;
}

interface To {
  readonly session: number;
  readonly hi: number;
  readonly lo: number;
  readonly stream: number;
  readonly wanted: number;
}

function fan(hot: HotPath, now: number, to: readonly To[], fragments: readonly Fragment[]): number {
  for (const [i, { number, index, total, flags, size }] of fragments.entries()) {
    hot.out.set([number, index | (total << 12) | (flags << 24), size], 4 * i);
  }
  for (const [i, { session, hi, lo, stream, wanted }] of to.entries()) {
    hot.out.set([session, hi, lo, stream, wanted], (Fan.receiversAt + i * Fan.receiverBytes) / 4);
  }
  return hot.fanHeads(to.length, fragments.length, 1, now, hot.headerArenaPtr);
}

function taken(hot: HotPath, i: number): number {
  return hot.out[(Fan.receiversAt + i * Fan.receiverBytes) / 4 + 5] as number;
}

function deadline(hot: HotPath, i: number): number {
  return hot.outF64[(Fan.receiversAt + i * Fan.receiverBytes + 24) / 8] as number;
}

const A: Fragment = { number: 0xfffffffe, index: 0, total: 2, flags: 0x0b, size: 1173 };
const B: Fragment = { number: 0xffffffff, index: 1, total: 2, flags: 0x0b, size: 400 };
const C: Fragment = { number: 0, index: 4094, total: 4095, flags: 0xff, size: 22 };

for (const kind of HOT_PATHS) {
  describe(`fan-out, ${kind}`, () => {
    test("writes the heads that sending one by one would, receiver after receiver", () => {
      const hot = testHotPath(kind);
      const ids = { hi: 0xdeadbeef, lo: 0xfedcba98, stream: 0xfffe };
      const first = { session: hot.sessionOpenAt(0x1fffe, 0), ...ids, wanted: 7 };
      const other = { session: hot.sessionOpen(), hi: 1, lo: 2, stream: 3, wanted: 5 };
      expect(fan(hot, 50, [first, other], [A, B, C])).toBe(5);
      const expected = new Uint8Array(5 * HEAD_BYTES);
      const heads = [
        [first, 0xfffe, A],
        [first, 0xffff, B],
        [first, 0, C],
        [other, 0, A],
        [other, 1, C],
      ] as const;
      for (const [i, [to, packet, f]] of heads.entries()) {
        const at = i * HEAD_BYTES;
        const { number, index, total, flags } = f;
        encodeDataHead(expected, at, to.hi, to.lo, packet, to.stream, number, index, total, flags);
      }
      const at = hot.headerArenaPtr;
      expect(hot.bytes.slice(at, at + expected.length)).toEqual(expected);
      expect([taken(hot, 0), taken(hot, 1)]).toEqual([3, 2]);
      expect(deadline(hot, 1)).toBe(hot.lossDeadline(other.session));
    });

    test("notes each packet in its session's window", () => {
      const hot = testHotPath(kind);
      const session = hot.sessionOpen();
      fan(hot, 50, [{ session, hi: 0, lo: 0, stream: 9, wanted: 2 }], [A, B]);
      fan(hot, 51, [{ session, hi: 0, lo: 0, stream: 9, wanted: 3 }], [A, B]);
      expect(hot.packetsInFlight(session)).toBe(3);
      expect(hot.bytesInFlight(session)).toBe(1173 + 2 * 400);
      takeAck(hot, session, 150, { largest: 1, also: [0] });
      expect(readSettled(hot).acked).toEqual([
        { kind: 1, attempt: 0, stream: 9, key: B.number, size: 400, number: 0, sentAt: 50 },
        { kind: 1, attempt: 0, stream: 9, key: A.number, size: 1173, number: 1, sentAt: 51 },
      ]);
    });

    test("a full window takes the first few; others get all", () => {
      const hot = testHotPath(kind);
      const full = hot.sessionOpen();
      for (let i = 0; i < MAX_IN_FLIGHT - 1; i++) hot.packetSent(full, 0, 1, 0, 1, i, 10);
      const ids = { hi: 1, lo: 2, stream: 3, wanted: 3 };
      const to = [full, hot.sessionOpen()].map((session) => ({ session, ...ids }));
      expect(fan(hot, 50, to, [A, B])).toBe(3);
      expect([taken(hot, 0), taken(hot, 1)]).toEqual([1, 2]);
    });

    test("nobody, nothing, and wishes for what is not there", () => {
      const hot = testHotPath(kind);
      expect(fan(hot, 1, [], [A])).toBe(0);
      const to = { session: hot.sessionOpen(), hi: 1, lo: 2, stream: 3, wanted: -1 };
      expect(fan(hot, 1, [to], [])).toBe(0);
      expect(fan(hot, 1, [{ ...to, wanted: 0xfffe }], [A])).toBe(0);
      expect(hot.packetsInFlight(to.session)).toBe(0);
      const all = Array.from({ length: Fan.fragmentsMax }, () => C);
      expect(fan(hot, 1, [to], all)).toBe(Fan.fragmentsMax);
    });

    test("misuse traps", () => {
      const hot = testHotPath(kind);
      const to = { session: hot.sessionOpen(), hi: 1, lo: 2, stream: 3, wanted: 1 };
      expect(() => fan(hot, 1, [{ ...to, session: 77 }], [A])).toThrow();
      expect(() => fan(hot, 1, [{ ...to, stream: 0x10000 }], [A])).toThrow();
      expect(() => hot.fanHeads(Fan.receiversMax + 1, 1, 1, 0, hot.headerArenaPtr)).toThrow();
      expect(() => hot.fanHeads(1, Fan.fragmentsMax + 1, 1, 0, hot.headerArenaPtr)).toThrow();
    });
  });
}

test("the layout is the wire's", () => {
  expect(Fan.headBytes).toBe(HEAD_BYTES);
  expect(PacketType.DATA).toBe(0x10);
});

/* Generated: fans amid single packets and ACKs, over sessions that begin anywhere. */

interface Step {
  readonly what: number;
  readonly waitMs: number;
  readonly wanted: readonly number[];
  readonly first: number;
  readonly sizes: readonly number[];
  readonly back: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  what: fc.nat(3),
  waitMs: fc.nat(60),
  wanted: fc.array(fc.integer(), { minLength: 1, maxLength: 3 }),
  first: fc.oneof(fc.nat(100), fc.integer()),
  sizes: fc.array(fc.nat(1200), { maxLength: Fan.fragmentsMax }),
  back: fc.nat(5),
});

function operation(step: Step, now: number): Operation {
  return (side: Side) => {
    const { hot, sessions } = side;
    const at = hot.headerArenaPtr;
    if (step.what === 3) {
      const session = sessions[step.back % sessions.length] as number;
      hot.bytes.fill(0, at, at + 18);
      new DataView(hot.bytes.buffer, at).setUint32(0, step.first - step.back);
      hot.bytes[at + 14] = 3;
      hot.bytes[at + 15] = step.back;
      const count = hot.ackParse(session, now, at, 18);
      return [count, side.settled(count)];
    }
    const total = Math.max(1, step.sizes.length);
    const fragments = step.sizes.map((size, index) => {
      return { number: step.first + index, index, total, flags: size & 0xff, size };
    });
    const to = step.wanted.map((wanted, i) => {
      const session = sessions[i] as number;
      return { session, hi: step.first, lo: wanted, stream: step.back, wanted };
    });
    const heads = fan(hot, now, to, fragments);
    const told = to.map((_, i) => [taken(hot, i), deadline(hot, i)]);
    return [told, [...hot.bytes.subarray(at, at + heads * HEAD_BYTES)], side.sending()];
  };
}

test("the two agree on generated fans", () => {
  const steps = fc.array(step, { maxLength: 60, size: "max" });
  fc.assert(
    fc.property(firstNumber, steps, (first, list) => {
      const open: Operation = ({ hot, sessions }) => {
        for (let i = 0; i < 3; i++) sessions.push(hot.sessionOpenAt(first, 0));
      };
      let now = 0;
      const operations = list.map((one) => {
        now += one.waitMs;
        return operation(one, now);
      });
      compare([open, ...operations]);
    }),
    runs(100),
  );
});
