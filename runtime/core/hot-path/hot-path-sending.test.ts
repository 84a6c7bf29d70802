import { describe, expect, test } from "bun:test";
import {
  ackBody,
  HOT_PATHS,
  readSettled,
  sendPacket,
  settledNumbers,
  takeAck,
  testHotPath,
} from "../../wasm/testing.ts";
import { INITIAL_RTT_MS, MAX_IN_FLIGHT, MAX_SETTLED, Settled, Status } from "./hot-path.ts";

for (const kind of HOT_PATHS) {
  describe(`sending side, ${kind}`, () => {
    /** A session with `count` packets sent 1 ms apart from `fromMs` on. */
    const opened = (count: number, fromMs = 0, first = 0) => {
      const hot = testHotPath(kind);
      const session = hot.sessionOpenAt(first, 0);
      for (let i = 0; i < count; i++) sendPacket(hot, session, fromMs + i);
      return { hot, session };
    };

    test("numbers packets from 0 and gives back what was recorded", () => {
      const { hot, session } = opened(0);
      expect(hot.packetSent(session, 7.25, 255, 200, 65535, 0xfffffff0, 65535)).toBe(0);
      expect(hot.packetSent(session, 8, 0, 0, 0, 0, 0)).toBe(1);
      expect(hot.bytesInFlight(session)).toBe(65535);
      expect(hot.packetsInFlight(session)).toBe(2);
      const ack = { largest: 1, also: [0], delayTicks: 12, clock: 0xfedcba98 };
      expect(takeAck(hot, session, 108, ack)).toBe(2);
      expect(readSettled(hot).acked[0]).toEqual({
        kind: 255,
        attempt: 200,
        stream: 65535,
        key: 0xfffffff0,
        size: 65535,
        number: 0,
        sentAt: 7.25,
      });
      expect((hot.out[Settled.receiverClock] ?? 0) >>> 0).toBe(0xfedcba98);
      expect(hot.out[Settled.ackDelay]).toBe(12);
      expect(hot.out[Settled.largestIsNew]).toBe(1);
      expect(hot.outF64[Settled.largestSentF64]).toBe(8);
      expect(hot.out[Settled.bytesAcked]).toBe(65535);
      expect(hot.bytesInFlight(session)).toBe(0);
      expect(hot.packetsInFlight(session)).toBe(0);
    });

    test("finds a loss as soon as more than one packet lies between", () => {
      const { hot, session } = opened(4);
      takeAck(hot, session, 100, { largest: 0 });
      takeAck(hot, session, 102, { largest: 2 });
      expect(settledNumbers(hot)).toEqual({ acked: [2], lost: [] });
      takeAck(hot, session, 103, { largest: 3, also: [2] });
      expect(settledNumbers(hot)).toEqual({ acked: [3], lost: [1] });
    });

    test("finds a loss by time once a packet sent 5 ms later would be acknowledged", () => {
      const { hot, session } = opened(2);
      takeAck(hot, session, 101, { largest: 1 });
      expect(hot.lossDeadline(session)).toBe(105);
      expect(hot.lossCheck(session, 104.9)).toBe(0);
      expect(hot.lossCheck(session, 105)).toBe(1);
      expect(settledNumbers(hot)).toEqual({ acked: [], lost: [0] });
      expect(hot.lossDeadline(session)).toBe(Number.POSITIVE_INFINITY);
    });

    test("needs no waiting when the later packet was sent 5 ms after", () => {
      const { hot, session } = opened(0);
      sendPacket(hot, session, 0);
      sendPacket(hot, session, 20);
      takeAck(hot, session, 120, { largest: 1 });
      expect(settledNumbers(hot)).toEqual({ acked: [1], lost: [0] });
    });

    test("takes the receiver's own delay as waited already", () => {
      const { hot, session } = opened(2);
      takeAck(hot, session, 151, { largest: 1, delayTicks: 500 });
      expect(settledNumbers(hot)).toEqual({ acked: [1], lost: [0] });
    });

    test("finds the loss of a frame's end by how long its ACK waited", () => {
      const { hot, session } = opened(0);
      for (let round = 0; round < 40; round++) {
        const number = sendPacket(hot, session, round * 100);
        takeAck(hot, session, round * 100 + 50, { largest: number });
      }
      const first = sendPacket(hot, session, 5000);
      sendPacket(hot, session, 5000);
      sendPacket(hot, session, 5004);
      takeAck(hot, session, 5050, { largest: first });
      expect(settledNumbers(hot).lost).toEqual([]);
      takeAck(hot, session, 5060, { largest: first, delayTicks: 80 });
      expect(settledNumbers(hot).lost).toEqual([first + 1]);
    });

    test("probes at once behind a repair, and once", () => {
      const { hot, session } = opened(0);
      takeAck(hot, session, 50, { largest: sendPacket(hot, session, 0) });
      hot.packetSent(session, 100, 1, 1, 1, 0, 1200);
      expect(hot.lossDeadline(session)).toBe(105);
      expect(hot.tailProbeDue(session, 104)).toBe(false);
      expect(hot.tailProbeDue(session, 105)).toBe(true);
      expect(hot.lossDeadline(session)).toBeGreaterThan(150);
    });

    test("finds a lost retransmission by the packets behind it, not by a timer", () => {
      const { hot, session } = opened(3);
      takeAck(hot, session, 102, { largest: 2 });
      expect(settledNumbers(hot).lost).toEqual([0]);
      const again = sendPacket(hot, session, 103);
      expect(again).toBe(3);
      sendPacket(hot, session, 104);
      sendPacket(hot, session, 105);
      takeAck(hot, session, 205, { largest: 5, also: [4, 2] });
      expect(settledNumbers(hot)).toEqual({ acked: [4, 5], lost: [1, 3] });
    });

    test("lists losses oldest first and takes them off what is in flight", () => {
      const { hot, session } = opened(10);
      takeAck(hot, session, 109, { largest: 9, also: [4] });
      expect(settledNumbers(hot)).toEqual({ acked: [4, 9], lost: [0, 1, 2, 3, 5, 6, 7] });
      expect(hot.out[Settled.bytesLost]).toBe(7 * 1200);
      expect(hot.packetsInFlight(session)).toBe(1);
      expect(hot.bytesInFlight(session)).toBe(1200);
    });

    test("grows the guard to the reordering it sees", () => {
      const { hot, session } = opened(12);
      takeAck(hot, session, 105, { largest: 5 });
      expect(settledNumbers(hot).lost).toEqual([0, 1, 2, 3]);
      takeAck(hot, session, 106, { largest: 5, also: [0, 1, 2, 3, 4] });
      expect(hot.out[Settled.spurious]).toBe(4);
      expect(settledNumbers(hot)).toEqual({ acked: [4], lost: [] });
      takeAck(hot, session, 111, { largest: 11 });
      expect(settledNumbers(hot)).toEqual({ acked: [11], lost: [] });
      /* Five packets are tolerated now, and 5.5 ms: what is late by more is lost. */
      takeAck(hot, session, 130, { largest: 11 });
      expect(settledNumbers(hot).lost).toEqual([6, 7, 8, 9, 10]);
    });

    test("keeps the guard within 64 packets and half the RTT", () => {
      const { hot, session } = opened(300);
      takeAck(hot, session, 399, { largest: 299 });
      takeAck(hot, session, 700, { largest: 299, also: [200] });
      expect(hot.out[Settled.spurious]).toBe(1);
      for (let i = 0; i < 200; i++) sendPacket(hot, session, 800);
      takeAck(hot, session, 900, { largest: 499 });
      expect(settledNumbers(hot).lost.length).toBe(199 - 64);
      expect(hot.lossDeadline(session)).toBeLessThanOrEqual(900 + hot.srttMs(session) / 2);
    });

    test("halves a grown guard after a long calm", () => {
      const { hot, session } = opened(12);
      takeAck(hot, session, 111, { largest: 11 });
      takeAck(hot, session, 112, { largest: 11, also: [1] });
      for (let round = 0; round < 4 * 2048; round++) {
        const number = sendPacket(hot, session, 1000 + round);
        takeAck(hot, session, 1100 + round, { largest: number });
      }
      const first = sendPacket(hot, session, 20_000);
      sendPacket(hot, session, 20_000);
      sendPacket(hot, session, 20_000);
      takeAck(hot, session, 20_100, { largest: first + 2 });
      expect(settledNumbers(hot).lost).toEqual([first]);
    });

    test("counts a late ACK as spurious only while the packet is remembered", () => {
      const { hot, session } = opened(3);
      takeAck(hot, session, 102, { largest: 2 });
      expect(hot.lossCheck(session, 2000)).toBe(1);
      expect(hot.lossCheck(session, 2001)).toBe(0);
      takeAck(hot, session, 2002, { largest: 2, also: [0, 1] });
      expect(hot.out[Settled.spurious]).toBe(0);
    });

    test("is unmoved by duplicate and outdated ACKs", () => {
      const { hot, session } = opened(6);
      takeAck(hot, session, 105, { largest: 5, also: [0, 1, 2, 3, 4] });
      const srtt = hot.srttMs(session);
      expect(takeAck(hot, session, 150, { largest: 5, also: [0, 1, 2, 3, 4] })).toBe(0);
      expect(takeAck(hot, session, 160, { largest: 3, also: [0] })).toBe(0);
      expect(hot.out[Settled.largestIsNew]).toBe(0);
      expect(hot.outF64[Settled.largestSentF64]).toBe(0);
      expect(hot.srttMs(session)).toBe(srtt);
    });

    test("refuses malformed ACKs and changes nothing", () => {
      const { hot, session } = opened(20);
      takeAck(hot, session, 105, { largest: 5 });
      const before = [hot.srttMs(session), hot.packetsInFlight(session), hot.lossRate(session)];
      const good = ackBody({ largest: 9, also: [7, 8] });
      const tooLong = new Uint8Array(15 + 129);
      tooLong.set(good);
      tooLong[14] = 129;
      const bodies = [
        new Uint8Array(0),
        good.subarray(0, 14),
        good.subarray(0, 15),
        Uint8Array.of(...good, 0),
        tooLong,
        ackBody({ largest: 20 }),
        ackBody({ largest: 0x80000000 }),
        ackBody({ largest: 0xffffffff }),
        ackBody({ largest: 9, also: [0xffffffff] }),
        ackBody({ largest: 9, also: [0xffffffe0] }),
        ackBody({ largest: 0, also: [0xfffffff8] }),
      ];
      for (const body of bodies) {
        expect(takeAck(hot, session, 300, body)).toBe(Status.malformed);
      }
      const after = [hot.srttMs(session), hot.packetsInFlight(session), hot.lossRate(session)];
      expect(after).toEqual(before);
    });

    test("refuses any ACK before the first packet", () => {
      const { hot, session } = opened(0);
      expect(takeAck(hot, session, 1, { largest: 0 })).toBe(Status.malformed);
      expect(takeAck(hot, session, 1, { largest: 0xffffffff })).toBe(Status.malformed);
    });

    test("carries on over the wrap of packet numbers", () => {
      const { hot, session } = opened(10, 0, 0xfffffffb);
      expect(sendPacket(hot, session, 10)).toBe(5);
      takeAck(hot, session, 110, { largest: 5, also: [4, 0, 0xffffffff, 0xfffffffc] });
      const { acked, lost } = settledNumbers(hot);
      expect(acked).toEqual([0xfffffffc, 0xffffffff, 0, 4, 5]);
      expect(lost).toEqual([0xfffffffb, 0xfffffffd, 0xfffffffe, 1, 2, 3]);
      expect(takeAck(hot, session, 111, { largest: 0xfffffffa })).toBe(Status.malformed);
      expect(takeAck(hot, session, 111, { largest: 6 })).toBe(Status.malformed);
    });

    test("bounds the window and opens it again", () => {
      const { hot, session } = opened(MAX_IN_FLIGHT);
      const size = hot.bytesInFlight(session);
      expect(sendPacket(hot, session, 20_000)).toBe(Status.window);
      expect(hot.bytesInFlight(session)).toBe(size);
      takeAck(hot, session, 20_000, { largest: 0 });
      expect(sendPacket(hot, session, 20_001)).toBe(MAX_IN_FLIGHT);
      expect(sendPacket(hot, session, 20_002)).toBe(Status.window);
    });

    test("lists at most MAX_SETTLED packets a call and the rest in the next", () => {
      const { hot, session } = opened(8000);
      expect(takeAck(hot, session, 9000, { largest: 7999 })).toBe(MAX_SETTLED);
      expect(hot.out[Settled.lost]).toBe(MAX_SETTLED - 1);
      expect(hot.lossDeadline(session)).toBe(9000);
      expect(hot.lossCheck(session, 9000)).toBe(MAX_SETTLED);
      /* All but the last two: one was acknowledged, the other is within the guard. */
      expect(hot.lossCheck(session, 9000)).toBe(8000 - 2 * MAX_SETTLED - 1);
      expect(hot.lossCheck(session, 9000)).toBe(0);
      expect(hot.lossCheck(session, 9010)).toBe(1);
      expect(hot.packetsInFlight(session)).toBe(0);
    });

    test("measures the RTT as RFC 9002 does", () => {
      const { hot, session } = opened(0);
      expect(hot.srttMs(session)).toBe(INITIAL_RTT_MS);
      sendPacket(hot, session, 0);
      takeAck(hot, session, 90, { largest: 0, delayTicks: 100 });
      expect(hot.srttMs(session)).toBe(80);
      expect(hot.rttVarMs(session)).toBe(40);
      expect(hot.minRttMs(session)).toBe(80);
      expect(hot.latestRttMs(session)).toBe(90);
      sendPacket(hot, session, 100);
      takeAck(hot, session, 220, { largest: 1, delayTicks: 240 });
      expect(hot.srttMs(session)).toBe(0.875 * 80 + 0.125 * 96);
      expect(hot.rttVarMs(session)).toBe(0.75 * 40 + 0.25 * 16);
      sendPacket(hot, session, 300);
      takeAck(hot, session, 390, { largest: 2, delayTicks: 240 });
      /* 90 − 24 would be below the minimum: the delay is not believed. */
      expect(hot.srttMs(session)).toBe(0.875 * 82 + 0.125 * 90);
      expect(hot.minRttMs(session)).toBe(80);
    });

    test("probes the tail once a timeout, and backs off", () => {
      const { hot, session } = opened(0);
      expect(hot.lossDeadline(session)).toBe(Number.POSITIVE_INFINITY);
      sendPacket(hot, session, 0);
      takeAck(hot, session, 40, { largest: 0 });
      expect(hot.lossDeadline(session)).toBe(Number.POSITIVE_INFINITY);
      expect(hot.tailProbeDue(session, 10_000)).toBe(false);
      sendPacket(hot, session, 50);
      const timeout = 40 + 4 * 20 + 10;
      expect(hot.lossDeadline(session)).toBe(50 + timeout);
      expect(hot.tailProbeDue(session, 49.9 + timeout)).toBe(false);
      expect(hot.tailProbeDue(session, 50 + timeout)).toBe(true);
      expect(hot.tailProbeDue(session, 50 + timeout)).toBe(false);
      sendPacket(hot, session, 180);
      expect(hot.lossDeadline(session)).toBe(180 + 2 * timeout);
      expect(hot.tailProbeDue(session, 180 + 2 * timeout)).toBe(true);
      sendPacket(hot, session, 440);
      takeAck(hot, session, 480, { largest: 3 });
      expect(settledNumbers(hot)).toEqual({ acked: [3], lost: [1, 2] });
      const number = sendPacket(hot, session, 500);
      expect(number).toBe(4);
      const calm = hot.srttMs(session) + 4 * hot.rttVarMs(session) + 10;
      expect(hot.lossDeadline(session)).toBe(500 + calm);
    });

    test("is never due twice at one time, even if the probe is not sent", () => {
      const { hot, session } = opened(1);
      let nowMs = 0;
      for (let round = 0; round < 20; round++) {
        const deadline = hot.lossDeadline(session);
        expect(deadline).toBe(nowMs + 310 * 2 ** Math.min(round, 6));
        nowMs = deadline;
        expect(hot.tailProbeDue(session, nowMs)).toBe(true);
        expect(hot.tailProbeDue(session, nowMs)).toBe(false);
      }
    });

    test("probes before the first RTT sample too", () => {
      const { hot, session } = opened(1);
      expect(hot.lossDeadline(session)).toBe(100 + 200 + 10);
      expect(hot.tailProbeDue(session, 310)).toBe(true);
    });

    test("keeps a loss rate: a mean first, then one that forgets", () => {
      const { hot, session } = opened(4);
      expect(hot.lossRate(session)).toBe(0);
      takeAck(hot, session, 103, { largest: 3, also: [1, 2] });
      expect(hot.lossRate(session)).toBeCloseTo(1 / 4, 10);
      for (let i = 0; i < 2000; i++) {
        const number = sendPacket(hot, session, 200 + i);
        takeAck(hot, session, 300 + i, { largest: number });
      }
      expect(hot.lossRate(session)).toBeLessThan(0.001);
    });

    test("sends one copy while a round fits, more in the last, none too late", () => {
      const { hot, session } = opened(1);
      takeAck(hot, session, 100, { largest: 0 });
      expect(hot.repairCopies(session, 1000, 1049)).toBe(0);
      expect(hot.repairCopies(session, 1000, 1050)).toBe(2);
      expect(hot.repairCopies(session, 1000, 1164)).toBe(2);
      expect(hot.repairCopies(session, 1000, 1165)).toBe(1);
      expect(hot.repairCopies(session, 1000, Number.POSITIVE_INFINITY)).toBe(1);
      for (let i = 0; i < 12; i++) sendPacket(hot, session, 200);
      takeAck(hot, session, 300, { largest: 12, also: [1, 2, 3, 4, 5, 6, 7, 8] });
      expect(hot.lossRate(session)).toBeGreaterThan(0.15);
      expect(hot.repairCopies(session, 1000, 1100)).toBe(3);
    });

    test("refuses unknown and closed handles", () => {
      const { hot, session } = opened(1);
      hot.sessionClose(session);
      expect(() => hot.srttMs(session)).toThrow("session handle");
      expect(() => hot.sessionClose(session)).toThrow("session handle");
      expect(() => sendPacket(hot, 0, 0)).toThrow("session handle");
      const next = hot.sessionOpen();
      expect(next).not.toBe(session);
      expect(() => hot.bytesInFlight(session)).toThrow("session handle");
      expect(hot.bytesInFlight(next)).toBe(0);
    });
  });
}
