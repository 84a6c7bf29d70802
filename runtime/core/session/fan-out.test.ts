import { describe, expect, test } from "bun:test";
import type { Ms } from "../../base/time.ts";
import { PacketType } from "../../wire/packet.ts";
import { MAX_IN_FLIGHT } from "../hot-path/hot-path.ts";
import { SendClass } from "../sending/send-queue.ts";
import { Pair, STREAM } from "../testing/session-pair.ts";
import { type FanFragment, FanOut } from "./fan-out.ts";

const LENGTHS = [1152, 1152, 300];

/** Alice has a segment of three fragments, numbered from 0 on, for Bob. */
function setup() {
  const pair = new Pair().open(500);
  const { a, b } = pair;
  b.listen();
  const store = a.hot.storeOpen(64);
  a.session.sources.set(STREAM, { store });
  const fragments = LENGTHS.map((bytes, index): FanFragment => {
    const slot = a.hot.payloadAlloc(bytes);
    a.hot.fragmentInsert(store, index, index, 3, 4, slot, 0);
    const captured = pair.world.nowMs;
    return { number: index, index, total: 3, flags: 4, slot, bytes, captured };
  });
  const fan = new FanOut(a.context);
  const round = (wanted: number): boolean => {
    let isTaken = false;
    pair.alice.command((alice, now) => {
      fan.begin(fragments);
      isTaken = fan.offer(now, alice.session, STREAM, wanted, 800);
      fan.end(now);
      alice.context.finish(now);
    });
    pair.pass(50);
    return isTaken;
  };
  const enqueue = (now: Ms) => {
    for (const { number, index, total, flags, bytes } of fragments) {
      const by = now + 800;
      const { push } = SendClass;
      a.session.queue.enqueueFragment(now, STREAM, number, index, total, flags, bytes, by, push);
    }
  };
  return { pair, a, b, round, enqueue };
}

describe("fan-out", () => {
  test("sends what a queue would", () => {
    const direct = setup();
    expect(direct.round(0b111)).toBe(true);
    const queued = setup();
    queued.pair.alice.command((alice, now) => {
      queued.enqueue(now);
      alice.context.finish(now);
    });
    queued.pair.pass(50);
    const data = direct.pair.packets("alice", PacketType.DATA);
    expect(data.map(({ length }) => length)).toEqual([1173, 1173, 321]);
    const bodies = (packets: Uint8Array[]) => packets.map((packet) => [...packet.subarray(9)]);
    expect(bodies(data)).toEqual(bodies(queued.pair.packets("alice", PacketType.DATA)));
    expect(direct.b.fragments).toEqual([0, 1, 2]);

    expect(direct.a.session.bytesOut).toBe(queued.a.session.bytesOut);
    expect(direct.a.context.uplink.bytesSent).toBe(queued.a.context.uplink.bytesSent);
  });

  test("sends only the fragments wanted", () => {
    const { b, round } = setup();
    round(0b101);
    expect(b.fragments).toEqual([0, 2]);
  });

  test("what is lost of it is repaired", () => {
    const { pair, a, b, round } = setup();
    let drops = 2;
    pair.drop = ({ bytes }) => bytes[0] === PacketType.DATA && drops-- > 0;
    round(0b111);
    pair.pass(300);
    expect(b.fragments.toSorted()).toEqual([0, 1, 2]);
    expect(a.session.packetsResent).toBeGreaterThanOrEqual(2);
  });

  test("leaves to the queue whoever has something waiting, or is closed", () => {
    const { a, round, pair, enqueue } = setup();
    a.session.queue.path.rate.noteSent(pair.world.nowMs as Ms, 100_000);
    enqueue(pair.world.nowMs as Ms);
    expect(round(0b111)).toBe(false);
    pair.pass(500);
    expect(round(0b111)).toBe(true);
    pair.alice.command((alice, now) => alice.session.close(now, 0, "done"));
    expect(round(0b111)).toBe(false);
  });

  test("what a full window has no room for waits in the queue", () => {
    const { b, pair, round } = setup();
    pair.alice.command((alice, now) => {
      for (let i = 0; alice.hot.packetsInFlight(alice.session.handle) < MAX_IN_FLIGHT - 1; i++) {
        alice.hot.packetSent(alice.session.handle, now, 4, 0, 0, i, 0);
      }
    });
    expect(round(0b111)).toBe(true);
    /* The first settles the window, and the others follow. */
    expect(b.fragments).toEqual([0, 1, 2]);
  });

  test("holds its payloads no longer than they are on their way out", () => {
    const { a, round } = setup();
    const before = a.hot.payloadBytesUsed();
    round(0b111);
    expect(a.hot.payloadBytesUsed()).toBe(before);
  });
});
