/**
 * Generated operations, run on the WASM and on its twin side by side: every result and every word of the out area must
 * agree. Handles differ between the two, so operations name sessions, stores and slots by their order of creation.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { testHotPath } from "../wasm/testing.ts";
import { type InspectableHotPath, Settled } from "./hot-path.ts";

/** One instance and the handles it gave out. */
class Side {
  readonly hot: InspectableHotPath;
  readonly sessions: number[] = [];
  readonly stores: number[] = [];
  readonly slots: number[] = [];

  constructor(kind: "wasm" | "twin") {
    this.hot = testHotPath(kind);
  }

  slotIndex(slot: number): number {
    return this.slots.indexOf(slot);
  }

  /** The settled list as bytes. */
  settled(count: number): number[] {
    const words = (Settled.entriesAt + Math.max(0, count) * Settled.entryBytes) / 4;
    return [...this.hot.out.subarray(0, words)];
  }
}

type Operation = (side: Side) => unknown;

const u32 = fc.nat(0xffffffff);
/** Number spaces that begin in ordinary places and just before their wraps. */
const first = fc.constantFrom(0, 1000, 0xfff0, 0x7ffffff0, 0xffffffe0, 0xfffffffe);

function compare(operations: readonly Operation[]): void {
  const wasm = new Side("wasm");
  const twin = new Side("twin");
  for (const [i, operation] of operations.entries()) {
    const got = operation(wasm);
    const expected = operation(twin);
    if (!Bun.deepEquals(got, expected)) expect({ i, result: got }).toEqual({ i, result: expected });
  }
}

/* Sending: packets, ACKs made of what a receiver would say, ACKs of arbitrary bytes, time. */

interface SendingStep {
  readonly what: number;
  readonly waitMs: number;
  readonly count: number;
  readonly back: number;
  readonly bits: Uint8Array;
  readonly delay: number;
}

const sendingStep: fc.Arbitrary<SendingStep> = fc.record({
  what: fc.nat(9),
  waitMs: fc.oneof(fc.nat(30), fc.double({ min: 0, max: 400, noNaN: true })),
  count: fc.oneof(fc.nat(8), fc.nat(200)),
  back: fc.oneof(fc.constant(1), fc.integer({ min: -2, max: 40 })),
  bits: fc.uint8Array({ maxLength: 20 }),
  delay: fc.oneof(fc.constant(0), fc.nat(2000)),
});

function state(side: Side, session: number): unknown[] {
  const { hot } = side;
  return [
    hot.bytesInFlight(session),
    hot.packetsInFlight(session),
    hot.lossDeadline(session),
    hot.srttMs(session),
    hot.rttVarMs(session),
    hot.minRttMs(session),
    hot.latestRttMs(session),
    hot.lossRate(session),
  ];
}

function sendingOperations(firstSent: number, steps: readonly SendingStep[]): Operation[] {
  let nowMs = 1000;
  let next = firstSent;
  const open: Operation = ({ hot, sessions }) => {
    sessions.push(hot.sessionOpenAt(firstSent, 0));
  };
  const operations = [open];
  for (const step of steps) {
    nowMs += step.waitMs;
    const now = nowMs;
    const largest = (next - step.back) >>> 0;
    if (step.what < 4) next += step.count;
    operations.push((side) => {
      const { hot } = side;
      const session = side.sessions[0] ?? 0;
      const results: unknown[] = [];
      if (step.what < 4) {
        for (let i = 0; i < step.count; i++) {
          const at = now + (i * step.what) / 3;
          results.push(hot.packetSent(session, at, i & 0xff, step.what, i, i * 77777777, 20 * i));
        }
      } else if (step.what < 8) {
        const ptr = hot.headerArenaPtr + 3;
        const view = new DataView(hot.bytes.buffer, ptr);
        view.setUint32(0, largest);
        view.setUint16(4, step.delay);
        view.setUint32(6, now * 10);
        view.setUint8(14, step.bits.length);
        hot.bytes.set(step.bits, ptr + 15);
        const count = hot.ackParse(session, now, ptr, 15 + step.bits.length);
        results.push(count, side.settled(count));
      } else if (step.what === 8) {
        const count = hot.lossCheck(session, now);
        results.push(count, side.settled(count));
      } else {
        results.push(hot.tailProbeDue(session, now));
      }
      results.push(hot.repairCopies(session, now, now + 3 * step.waitMs), state(side, session));
      return results;
    });
  }
  return operations;
}

test("sending sides agree on generated operations", () => {
  const steps = fc.array(sendingStep, { maxLength: 80 });
  fc.assert(
    fc.property(first, steps, (firstSent, list) => compare(sendingOperations(firstSent, list))),
    { numRuns: 400 },
  );
});

/** What a link does to a conversation: sends, lost and reordered packets, ACKs, lost ACKs, timers. */
test("whole conversations over a bad link agree", () => {
  const link = fc.record({
    loss: fc.constantFrom(0, 5, 20, 60),
    jitterMs: fc.constantFrom(0, 3, 15, 60),
    everyMs: fc.constantFrom(0.1, 1, 7.3, 40),
    ackEveryMs: fc.constantFrom(5, 20, 500),
    fates: fc.array(fc.nat(99), { minLength: 50, maxLength: 600 }),
    first,
  });
  fc.assert(
    fc.property(link, (shape) => compare(conversation(shape))),
    { numRuns: 150 },
  );
});

interface LinkShape {
  readonly loss: number;
  readonly jitterMs: number;
  readonly everyMs: number;
  readonly ackEveryMs: number;
  readonly fates: readonly number[];
  readonly first: number;
}

function conversation(shape: LinkShape): Operation[] {
  const { loss, jitterMs, everyMs, ackEveryMs, fates } = shape;
  const events: { at: number; run: Operation }[] = [];
  const acks: Uint8Array[][] = [];
  const fate = (i: number) => fates[i % fates.length] ?? 0;
  const session = (side: Side) => side.sessions[0] ?? 0;
  for (const [i, chance] of fates.entries()) {
    const at = i * everyMs;
    const number = (shape.first + i) & 0xffff;
    const arrival = at + 30 + (jitterMs * fate(3 * i + 1)) / 99;
    events.push({ at, run: (side) => side.hot.packetSent(session(side), at, 1, 0, 2, i, 1000 + i) });
    if (chance < loss) continue;
    events.push({
      at: arrival,
      run: (side) => side.hot.packetReceived(session(side), arrival, number),
    });
  }
  const end = fates.length * everyMs + 2000;
  for (let round = 1; round * ackEveryMs < end && round < 500; round++) {
    const at = round * ackEveryMs;
    const box: Uint8Array[] = [];
    acks.push(box);
    const run: Operation = ({ hot, sessions }) => {
      const ptr = hot.headerArenaPtr;
      const length = hot.ackBuild(sessions[0] ?? 0, at + 0.33, ptr);
      const body = hot.bytes.slice(ptr, ptr + length);
      box[0] = body;
      return [...body];
    };
    events.push({ at, run });
    if (fate(7 * round) < loss) continue;
    const arrival = at + 30 + (jitterMs * fate(5 * round)) / 99;
    events.push({ at: arrival, run: (side) => parse(side, arrival, box[0]) });
  }
  for (let at = 0; at < end; at += 13) events.push({ at, run: (side) => timers(side, at) });
  events.sort((a, b) => a.at - b.at);
  const open: Operation = ({ hot, sessions }) => {
    sessions.push(hot.sessionOpenAt(shape.first, shape.first));
  };
  return [open, ...events.map((event) => event.run)];
}

function parse(side: Side, nowMs: number, body: Uint8Array | undefined): unknown {
  if (body === undefined || body.length === 0) return "nothing";
  const { hot, sessions } = side;
  hot.bytes.set(body, hot.headerArenaPtr);
  const count = hot.ackParse(sessions[0] ?? 0, nowMs, hot.headerArenaPtr, body.length);
  return [count, side.settled(count), state(side, sessions[0] ?? 0)];
}

function timers(side: Side, nowMs: number): unknown {
  const { hot, sessions } = side;
  const session = sessions[0] ?? 0;
  const probe = hot.tailProbeDue(session, nowMs);
  const count = hot.lossCheck(session, nowMs);
  return [probe, count, side.settled(count), state(side, session)];
}

test("arbitrary bytes as an ACK: agreement, and malformed ones change nothing", () => {
  const bytes = fc.uint8Array({ maxLength: 160 });
  fc.assert(
    fc.property(fc.nat(300), bytes, fc.boolean(), (sent, body, plausible) => {
      const give: Operation = (side) => {
        const { hot } = side;
        const session = hot.sessionOpen();
        for (let i = 0; i < sent; i++) hot.packetSent(session, i, 1, 1, 1, i, 100);
        const before = state(side, session);
        hot.bytes.set(body, hot.headerArenaPtr);
        if (plausible && body.length >= 15) {
          hot.bytes.fill(0, hot.headerArenaPtr, hot.headerArenaPtr + 2);
          hot.bytes[hot.headerArenaPtr + 14] = body.length - 15;
        }
        const count = hot.ackParse(session, 500, hot.headerArenaPtr, body.length);
        if (count < 0) expect(state(side, session)).toEqual(before);
        return [count, side.settled(count), state(side, session)];
      };
      compare([give]);
    }),
    { numRuns: 500 },
  );
});

/* Receiving. */

test("receiving sides agree on generated operations", () => {
  const step = fc.record({
    jump: fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: -5, max: 6 }) },
      { weight: 2, arbitrary: fc.integer({ min: -1100, max: 1100 }) },
      { weight: 1, arbitrary: fc.integer({ min: -0x8000, max: 0x7fff }) },
    ),
    waitMs: fc.double({ min: 0, max: 50, noNaN: true }),
    ack: fc.nat(6),
  });
  const steps = fc.array(step, { maxLength: 300 });
  fc.assert(
    fc.property(first, steps, (firstReceived, list) => {
      let nowMs = 0;
      let number = firstReceived;
      const operations: Operation[] = [
        ({ hot, sessions }) => void sessions.push(hot.sessionOpenAt(0, firstReceived)),
      ];
      for (const { jump, waitMs, ack } of list) {
        nowMs += waitMs;
        const now = nowMs;
        number = (number + jump) & 0xffff;
        const number16 = number;
        operations.push(({ hot, sessions }) => {
          const session = sessions[0] ?? 0;
          const result = hot.packetReceived(session, now, number16);
          const pending = hot.ackPending(session);
          const length = ack === 0 ? hot.ackBuild(session, now + 1, hot.headerArenaPtr) : 0;
          const at = hot.headerArenaPtr;
          return [result, pending, length, [...hot.bytes.subarray(at, at + length)]];
        });
      }
      compare(operations);
    }),
    { numRuns: 300 },
  );
});

/* Stores. */

interface StoreStep {
  readonly what: number;
  readonly offset: number;
  readonly index: number;
  readonly total: number;
  readonly waitMs: number;
  readonly span: number;
}

/** Fragments of a plausible stream (segments of 7), and others that contradict it. */
const storeStep: fc.Arbitrary<StoreStep> = fc.record({
  what: fc.nat(19),
  offset: fc.oneof(
    { weight: 10, arbitrary: fc.integer({ min: -20, max: 12 }) },
    { weight: 3, arbitrary: fc.integer({ min: -200, max: 100 }) },
    { weight: 1, arbitrary: fc.integer({ min: -0x80000000, max: 0x7fffffff }) },
  ),
  index: fc.nat(8),
  total: fc.oneof(fc.nat(9), fc.nat(4100)),
  waitMs: fc.double({ min: 0, max: 20, noNaN: true }),
  span: fc.oneof(fc.nat(150), u32),
});

function storeOperations(start: number, capacity: number, steps: readonly StoreStep[]): Operation[] {
  let nowMs = 0;
  let head = start;
  const operations: Operation[] = [
    ({ hot, stores }) => void stores.push(hot.storeOpen(capacity)),
  ];
  for (const step of steps) {
    nowMs += step.waitMs;
    const now = nowMs;
    if (step.what < 14) head = (head + 1) >>> 0;
    const number = (head + step.offset) >>> 0;
    operations.push((side) => [storeStepOn(side, step, number, now), storeState(side, number)]);
  }
  return operations;
}

function storeStepOn(side: Side, step: StoreStep, number: number, now: number): unknown {
  const { hot } = side;
  const store = side.stores[0] ?? 0;
  const insert = (index: number, total: number) => {
    const slot = hot.payloadAlloc(1 + (number % 1152));
    side.slots.push(slot);
    const result = hot.fragmentInsert(store, number, index, total, number & 0xff, slot, now);
    hot.payloadRelease(slot);
    return result;
  };
  if (step.what < 12) return insert(number % 7, 7);
  if (step.what < 15) return insert(step.index, step.total);
  if (step.what === 15) return hot.evictBefore(store, number);
  if (step.what === 16) return hot.evictOlder(store, now - step.waitMs * 5);
  if (step.what === 17) {
    const count = hot.holes(store, number, (number + step.span) >>> 0, 1 + (step.span % 200));
    return [...hot.out.subarray(0, count)];
  }
  const bits = step.span % 1500;
  const length = hot.mapBuild(store, number, bits, hot.headerArenaPtr);
  return [...hot.bytes.subarray(hot.headerArenaPtr, hot.headerArenaPtr + length)];
}

function storeState(side: Side, number: number): unknown[] {
  const { hot } = side;
  const store = side.stores[0] ?? 0;
  const segment = (number - (number % 7)) >>> 0;
  const count = hot.segmentSlots(store, segment);
  const slots = [...hot.out.subarray(0, count)].map((slot) => side.slotIndex(slot));
  const found = hot.fragmentInfo(store, number) ? [...hot.out.subarray(0, 3)] : [];
  return [
    hot.storeOldest(store),
    hot.storeNext(store),
    hot.payloadBytesUsed(),
    side.slotIndex(hot.fragmentSlot(store, number)),
    found,
    slots,
  ];
}

test("stores agree on generated operations", () => {
  const capacity = fc.constantFrom(64, 64, 128, 1024);
  const steps = fc.array(storeStep, { maxLength: 200 });
  fc.assert(
    fc.property(first, capacity, steps, (start, size, list) => {
      compare(storeOperations(start, size, list));
    }),
    { numRuns: 400 },
  );
});

test("a store that is closed gives every payload back, whatever happened to it", () => {
  const steps = fc.array(storeStep, { maxLength: 100 });
  fc.assert(
    fc.property(first, steps, (start, list) => {
      const close: Operation = ({ hot, stores }) => {
        hot.storeClose(stores[0] ?? 0);
        expect(hot.payloadBytesUsed()).toBe(0);
      };
      compare([...storeOperations(start, 64, list), close]);
    }),
    { numRuns: 100 },
  );
});
