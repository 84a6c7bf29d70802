import { describe, expect, test } from "bun:test";
import { HOT_PATHS, sendPacket, settledNumbers, takeAck, testHotPath } from "../../wasm/testing.ts";
import { type HotPath, MAX_ACK_BYTES, Received, Status } from "./hot-path.ts";

/** A built ACK's body. */
function build(hot: HotPath, session: number, nowMs: number): Uint8Array {
  const length = hot.ackBuild(session, nowMs, hot.headerArenaPtr);
  return hot.bytes.slice(hot.headerArenaPtr, hot.headerArenaPtr + length);
}

/** The packet numbers an ACK body names, u32, newest first. */
function numbersIn(body: Uint8Array): number[] {
  const view = new DataView(body.buffer, body.byteOffset);
  const largest = view.getUint32(0);
  const numbers = [largest];
  for (let i = 0; i < (body[14] ?? 0) * 8; i++) {
    if (((body[15 + (i >> 3)] ?? 0) >> (i & 7)) & 1) numbers.push((largest - 1 - i) >>> 0);
  }
  return numbers;
}

for (const kind of HOT_PATHS) {
  describe(`receiving side, ${kind}`, () => {
    const opened = (first = 0) => {
      const hot = testHotPath(kind);
      return { hot, session: hot.sessionOpenAt(0, first) };
    };

    test("has no ACK before the first packet", () => {
      const { hot, session } = opened();
      expect(hot.ackBuild(session, 5, hot.headerArenaPtr)).toBe(0);
      expect(hot.packetReceived(session, 5, 0xffff)).toBe(Status.old);
      expect(hot.ackBuild(session, 5, hot.headerArenaPtr)).toBe(0);
    });

    test("tells fresh packets, gaps, duplicates and old ones apart", () => {
      const { hot, session } = opened();
      expect(hot.packetReceived(session, 1, 0)).toBe(Received.fresh);
      expect(hot.packetReceived(session, 1, 1)).toBe(Received.fresh);
      expect(hot.packetReceived(session, 1, 3)).toBe(Received.gap);
      expect(hot.packetReceived(session, 1, 2)).toBe(Received.fresh);
      expect(hot.packetReceived(session, 1, 2)).toBe(Status.duplicate);
      expect(hot.packetReceived(session, 1, 3)).toBe(Status.duplicate);
      expect(hot.packetReceived(session, 1, 2000)).toBe(Received.gap);
      expect(hot.packetReceived(session, 1, 976)).toBe(Status.old);
      expect(hot.packetReceived(session, 1, 977)).toBe(Received.fresh);
      expect(hot.ackPending(session)).toBe(6);
    });

    test("sees a gap when the very first packet is missing", () => {
      const { hot, session } = opened();
      expect(hot.packetReceived(session, 1, 1)).toBe(Received.gap);
      expect(numbersIn(build(hot, session, 2))).toEqual([1]);
      expect(hot.packetReceived(session, 1, 0)).toBe(Received.fresh);
      expect(numbersIn(build(hot, session, 2))).toEqual([1, 0]);
    });

    test("writes the fields of the wire", () => {
      const { hot, session } = opened();
      hot.packetReceived(session, 1_000_000_000.55, 0);
      hot.packetReceived(session, 1_000_000_001.25, 2);
      const body = build(hot, session, 1_000_000_003.5);
      const view = new DataView(body.buffer);
      expect(view.getUint32(0)).toBe(2);
      expect(view.getUint16(4)).toBe(22);
      expect(view.getUint32(6)).toBe(10_000_000_012 % 2 ** 32);
      expect(view.getUint32(10)).toBe(0xffffffff);
      expect([...body.subarray(14)]).toEqual([1, 0b10]);
    });

    test("saturates the ACK delay", () => {
      const { hot, session } = opened();
      hot.packetReceived(session, 10, 0);
      const delayAt = (nowMs: number) =>
        new DataView(build(hot, session, nowMs).buffer).getUint16(4);
      expect(delayAt(10 + 6553.4)).toBe(65534);
      expect(delayAt(10 + 100_000)).toBe(65535);
      expect(delayAt(9)).toBe(0);
    });

    test("repeats each packet in four ACKs", () => {
      const { hot, session } = opened();
      const lists: number[][] = [];
      for (let i = 0; i < 6; i++) {
        hot.packetReceived(session, i, 16 * i);
        lists.push(numbersIn(build(hot, session, i)));
      }
      expect(lists[3]).toEqual([48, 32, 16, 0]);
      expect(lists[4]).toEqual([64, 48, 32, 16]);
      expect(lists[5]).toEqual([80, 64, 48, 32]);
    });

    test("survives three lost ACKs in a row without a packet taken for lost", () => {
      const { hot, session: receiver } = opened();
      const sender = hot.sessionOpen();
      for (let ack = 1; ack <= 12; ack++) {
        for (let i = 0; i < 5; i++) {
          const number = sendPacket(hot, sender, ack * 10 + i);
          hot.packetReceived(receiver, ack * 10 + i + 25, number & 0xffff);
        }
        const body = build(hot, receiver, ack * 10 + 30);
        if (ack % 4 !== 0) continue;
        expect(takeAck(hot, sender, ack * 10 + 55, body)).toBe(20);
        expect(settledNumbers(hot).lost).toEqual([]);
        expect(hot.packetsInFlight(sender)).toBe(0);
      }
    });

    test("reaches back again for a packet that came late", () => {
      const { hot, session } = opened();
      const list = (number: number) => {
        hot.packetReceived(session, 1, number);
        return numbersIn(build(hot, session, 2));
      };
      for (const number of [0, 50, 100, 150]) list(number);
      expect(list(200)).toEqual([200, 150, 100, 50]);
      expect(list(60)).toEqual([200, 150, 100, 60]);
    });

    test("says the same again as often as it is asked", () => {
      const { hot, session } = opened();
      for (const number of [0, 50]) hot.packetReceived(session, 1, number);
      for (let i = 0; i < 6; i++) expect(numbersIn(build(hot, session, 2 + i))).toEqual([50, 0]);
    });

    test("reaches back over 32 packets, however many ACKs there were", () => {
      const { hot, session } = opened();
      const lists: number[][] = [];
      for (let number = 0; number < 60; number++) {
        hot.packetReceived(session, number, number);
        lists.push(numbersIn(build(hot, session, number)));
      }
      expect(lists[9]?.length).toBe(10);
      expect(lists[59]?.length).toBe(33);
    });

    test("never writes more than MAX_ACK_BYTES", () => {
      const { hot, session } = opened();
      for (let number = 0; number < 1024; number++) hot.packetReceived(session, 1, number);
      const body = build(hot, session, 2);
      expect(body.length).toBe(MAX_ACK_BYTES);
      expect(numbersIn(body).length).toBe(1024);
      const { hot: other, session: sparse } = opened();
      for (let number = 0; number < 3000; number += 3) other.packetReceived(sparse, 1, number);
      const numbers = numbersIn(build(other, sparse, 2));
      expect(numbers.length).toBe(342);
      expect(numbers.every((number) => number % 3 === 0)).toBe(true);
    });

    test("clears what it skips when it jumps further than the window", () => {
      const { hot, session } = opened();
      for (let number = 0; number < 1024; number++) hot.packetReceived(session, 1, number);
      hot.packetReceived(session, 2, 20_000);
      hot.packetReceived(session, 2, 19_999);
      hot.packetReceived(session, 2, 19_000);
      expect(numbersIn(build(hot, session, 3))).toEqual([20_000, 19_999, 19_000]);
    });

    test("carries on over the wrap of packet numbers", () => {
      const { hot, session } = opened(0xfffffffd);
      expect(hot.packetReceived(session, 1, 0xfffc)).toBe(Status.old);
      expect(hot.packetReceived(session, 1, 0xfffd)).toBe(Received.fresh);
      expect(hot.packetReceived(session, 1, 0)).toBe(Received.gap);
      expect(hot.packetReceived(session, 1, 0xffff)).toBe(Received.fresh);
      expect(hot.packetReceived(session, 1, 1)).toBe(Received.fresh);
      expect(numbersIn(build(hot, session, 2))).toEqual([1, 0, 0xffffffff, 0xfffffffd]);
    });

    test("follows the 16 bits of the wire through many wraps", () => {
      const { hot, session } = opened(0xfffe0000);
      let number = 0xfffe0000;
      for (let i = 0; i < 300_000; i++) {
        const result = hot.packetReceived(session, i, number & 0xffff);
        if (result !== Received.fresh) throw new Error(`${number}: ${result}`);
        number = (number + 1) >>> 0;
      }
      expect(numbersIn(build(hot, session, 300_000))[0]).toBe((number - 1) >>> 0);
    });
  });
}
