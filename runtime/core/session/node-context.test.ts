import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Prng } from "../../base/prng.ts";
import { CloseCode } from "../../wire/close-code.ts";
import { encodeIdHead, ID_BYTES, PacketType } from "../../wire/packet.ts";
import { ALICE, Pair } from "../testing/session-pair.ts";

/** Of an idle session, on both sides of the border (docs/LIMITS.md). */
const BYTES_MAX = 1500;

describe("what comes under a session's own connection id", () => {
  test("any bytes are judged: taken, refused, or the end of that session, never thrown", () => {
    const bodies = fc.uint8Array({ maxLength: 300 });
    const types = fc.integer({ min: 0x10, max: 0x1f });
    fc.assert(
      fc.property(fc.array(fc.tuple(types, bodies), { maxLength: 20 }), (packets) => {
        const pair = new Pair().open(100);
        pair.b.listen();
        const { localHi, localLo } = pair.b.session;
        for (const [type, body] of packets) {
          const data = new Uint8Array(ID_BYTES + body.length);
          data.set(body, encodeIdHead(data, 0, type, localHi, localLo));
          pair.inject(ALICE, data);
        }
        pair.pass(200);
        expect(pair.b.closed.length).toBeLessThanOrEqual(1);
        expect(pair.b.context.sessionCount).toBe(1 - pair.b.closed.length);
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  test("flipped bits in what the other side sends are never thrown at", () => {
    const random = new Prng(3);
    for (let seed = 1; seed <= 10; seed++) {
      const pair = new Pair({ seed }).open(200);
      pair.b.listen();
      for (let i = 0; i < 40; i++) {
        pair.alice.command((alice, now) => {
          if (!alice.session.isOpen) return;
          alice.session.sendControl(now, { t: "warn", code: "a", text: "b".repeat(i) });
          alice.push(now, i * 4, 4, 300);
        });
        pair.pass(5);
        for (const { bytes } of pair.sent.slice(-4)) {
          const flipped = bytes.slice();
          const at = ID_BYTES + random.below(Math.max(1, bytes.length - ID_BYTES));
          if (at < flipped.length) flipped[at] = (flipped[at] as number) ^ (1 << random.below(8));
          pair.inject(ALICE, flipped);
        }
      }
      expect(pair.b.closed.length).toBeLessThanOrEqual(1);
    }
  });

  test("an ACK of what was never sent costs the session, with a reason", () => {
    const pair = new Pair().open(200);
    const { localHi, localLo } = pair.b.session;
    const data = new Uint8Array(ID_BYTES + 15);
    const at = encodeIdHead(data, 0, PacketType.ACK, localHi, localLo);
    new DataView(data.buffer).setUint32(at, 12_345);
    pair.inject(ALICE, data);
    pair.pass(100);
    expect(pair.b.closed).toMatchObject([{ code: CloseCode.protocolViolation }]);
    expect(pair.a.closed).toMatchObject([{ code: CloseCode.protocolViolation }]);
  });
});

test("connection ids are not given twice", () => {
  const pair = new Pair();
  for (let i = 0; i < 50; i++) pair.open(60);
  expect(pair.b.context.sessionCount).toBe(50);
  const lows = [...pair.b.context.sessions()].map(({ localLo }) => localLo);
  expect(new Set(lows).size).toBe(50);
});

test("an idle session is cheap on both sides of the border", () => {
  const pair = new Pair();
  const { context, hot } = pair.b;
  const host = pair.b;
  const now = 0 as never;
  const open = (count: number) => {
    for (let i = 0; i < count; i++) {
      const [localHi, localLo] = context.newConnectionId();
      const ids = { localHi, localLo, remoteHi: i, remoteLo: i };
      context.open(now, host, ids, ALICE, { delayMs: 10, everyPackets: 8, pingMs: 2000 } as never);
    }
    context.finish(now);
  };
  const used = () => {
    Bun.gc(true);
    return heapStats().heapSize + hot.memoryUsed();
  };
  open(1000);
  const before = used();
  open(4000);
  expect((used() - before) / 4000).toBeLessThan(BYTES_MAX);
  expect(context.sessionCount).toBe(5000);
});
