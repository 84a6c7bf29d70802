/** Generated operations on sessions' sending sides and on whole conversations: the WASM and its twin agree. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  compare,
  firstNumber,
  type Operation,
  runs,
  type Side,
} from "../../wasm/testing-compare.ts";

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
  bits: fc.uint8Array({ maxLength: 20, size: "max" }),
  delay: fc.oneof(fc.constant(0), fc.nat(2000)),
});

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
      const { hot, session } = side;
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
      results.push(hot.repairCopies(session, now, now + 3 * step.waitMs), side.sending());
      return results;
    });
  }
  return operations;
}

test("sending sides agree on generated operations", () => {
  const steps = fc.array(sendingStep, { maxLength: 80, size: "max" });
  fc.assert(
    fc.property(firstNumber, steps, (firstSent, list) =>
      compare(sendingOperations(firstSent, list)),
    ),
    runs(150),
  );
});

/** What a link does to a conversation: sends, lost and reordered packets, ACKs, lost ACKs, timers. */
test("whole conversations over a bad link agree", () => {
  const link = fc.record({
    loss: fc.constantFrom(0, 5, 20, 60),
    jitterMs: fc.constantFrom(0, 3, 15, 60),
    everyMs: fc.constantFrom(0.1, 1, 7.3, 40),
    ackEveryMs: fc.constantFrom(5, 20, 500),
    fates: fc.array(fc.nat(99), { minLength: 50, maxLength: 600, size: "max" }),
    first: firstNumber,
  });
  fc.assert(
    fc.property(link, (shape) => compare(conversation(shape))),
    runs(150),
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
  for (const [i, chance] of fates.entries()) {
    const at = i * everyMs;
    const number = (shape.first + i) & 0xffff;
    const arrival = at + 30 + (jitterMs * fate(3 * i + 1)) / 99;
    events.push({ at, run: (side) => side.hot.packetSent(side.session, at, 1, 0, 2, i, 1000 + i) });
    if (chance < loss) continue;
    events.push({
      at: arrival,
      run: (side) => side.hot.packetReceived(side.session, arrival, number),
    });
  }
  const end = fates.length * everyMs + 2000;
  for (let round = 1; round * ackEveryMs < end && round < 500; round++) {
    const at = round * ackEveryMs;
    const box: Uint8Array[] = [];
    acks.push(box);
    const run: Operation = ({ hot, session }) => {
      const ptr = hot.headerArenaPtr;
      const length = hot.ackBuild(session, at + 0.33, ptr);
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
  const { hot, session } = side;
  hot.bytes.set(body, hot.headerArenaPtr);
  const count = hot.ackParse(session, nowMs, hot.headerArenaPtr, body.length);
  return [count, side.settled(count), side.sending()];
}

function timers(side: Side, nowMs: number): unknown {
  const { hot, session } = side;
  const probe = hot.tailProbeDue(session, nowMs);
  const count = hot.lossCheck(session, nowMs);
  return [probe, count, side.settled(count), side.sending()];
}

test("arbitrary bytes as an ACK: agreement, and malformed ones change nothing", () => {
  const bytes = fc.uint8Array({ maxLength: 160, size: "max" });
  const aim = fc.constantFrom("none", "length", "largest");
  fc.assert(
    fc.property(fc.nat(1200), bytes, aim, (sent, body, plausible) => {
      const open: Operation = ({ hot, sessions }) => {
        sessions.push(hot.sessionOpen());
        for (let i = 0; i < sent; i++) hot.packetSent(sessions[0] ?? 0, i, 1, 1, 1, i, 100);
      };
      const give: Operation = (side) => {
        const { hot } = side;
        const ptr = hot.headerArenaPtr;
        const before = side.sending();
        hot.bytes.set(body, ptr);
        if (plausible !== "none" && body.length >= 15) hot.bytes[ptr + 14] = body.length - 15;
        if (plausible === "largest") {
          const largest = sent - ((body[0] ?? 0) & 15);
          new DataView(hot.bytes.buffer, ptr).setUint32(0, largest);
        }
        const count = hot.ackParse(side.session, 1500, ptr, body.length);
        if (count < 0) expect(side.sending()).toEqual(before);
        return [count, side.settled(count), side.sending()];
      };
      compare([open, give, give]);
    }),
    runs(200),
  );
});
