import { describe, expect, test } from "bun:test";
import { HOT_PATHS, sendPacket, takeAck, testHotPath } from "../../wasm/testing.ts";
import { HEADER_ARENA_BYTES, MAX_BODY_BYTES, OUT_BYTES, Status } from "./hot-path.ts";

for (const kind of HOT_PATHS) {
  describe(`memory, ${kind}`, () => {
    test("lays out its areas apart and aligned", () => {
      const hot = testHotPath(kind);
      expect(hot.outPtr % 8).toBe(0);
      expect(hot.headerArenaPtr % 8).toBe(0);
      expect(hot.headerArenaPtr).toBeGreaterThanOrEqual(hot.outPtr + OUT_BYTES);
      const slot = hot.payloadAlloc(1);
      expect(hot.payloadPtr(slot)).toBeGreaterThanOrEqual(hot.headerArenaPtr + HEADER_ARENA_BYTES);
      expect(hot.payloadPtr(slot) % 8).toBe(0);
      expect(hot.bytes.length).toBe(4 * 1024 * 1024);
      expect(hot.out.byteLength).toBe(OUT_BYTES);
      expect(hot.outF64.byteOffset).toBe(hot.outPtr);
    });

    test("keeps payloads apart, whatever their sizes", () => {
      const hot = testHotPath(kind);
      const lengths = [1, 120, 121, 440, 441, MAX_BODY_BYTES];
      const slots = Array.from({ length: 300 }, (_, i) => {
        const length = lengths[i % lengths.length] ?? 1;
        const slot = hot.payloadAlloc(length);
        hot.bytes.fill(i & 0xff, hot.payloadPtr(slot), hot.payloadPtr(slot) + length);
        return slot;
      });
      for (const [i, slot] of slots.entries()) {
        const content = hot.bytes
          .subarray(hot.payloadPtr(slot))
          .subarray(0, hot.payloadLength(slot));
        expect(hot.payloadLength(slot)).toBe(lengths[i % lengths.length] ?? 1);
        expect(content.every((byte) => byte === (i & 0xff))).toBe(true);
      }
      expect(hot.payloadBytesUsed()).toBe(100 * (128 + 448 + 1160));
      for (const slot of slots) hot.payloadRelease(slot);
      expect(hot.payloadBytesUsed()).toBe(0);
    });

    test("frees a payload with its last reference", () => {
      const hot = testHotPath(kind);
      const slot = hot.payloadAlloc(5);
      hot.payloadRetain(slot);
      hot.payloadRetain(slot);
      hot.payloadRelease(slot);
      hot.payloadRelease(slot);
      expect(hot.payloadLength(slot)).toBe(5);
      hot.payloadRelease(slot);
      expect(hot.payloadBytesUsed()).toBe(0);
      expect(() => hot.payloadRelease(slot)).toThrow("payload slot");
      expect(() => hot.payloadPtr(0)).toThrow("payload slot");
      expect(() => hot.payloadAlloc(0)).toThrow("payload length");
      expect(() => hot.payloadAlloc(MAX_BODY_BYTES + 1)).toThrow("payload length");
    });

    test("does not know a freed slot again when its place is taken", () => {
      const hot = testHotPath(kind);
      const before = hot.payloadAlloc(50);
      hot.payloadRelease(before);
      const after = hot.payloadAlloc(50);
      expect(hot.payloadPtr(after)).toBeGreaterThan(0);
      expect(() => hot.payloadPtr(before)).toThrow("payload slot");
    });

    test("says full, and recovers as soon as something is freed", () => {
      const hot = testHotPath(kind);
      const total = hot.payloadBytesTotal();
      const slots: number[] = [];
      for (;;) {
        const slot = hot.payloadAlloc(MAX_BODY_BYTES);
        if (slot === Status.full) break;
        slots.push(slot);
      }
      expect(hot.payloadBytesUsed()).toBeGreaterThan(0.97 * total);
      expect(hot.payloadBytesUsed()).toBeLessThanOrEqual(total);
      hot.payloadRelease(slots.pop() ?? 0);
      const again = hot.payloadAlloc(1000);
      expect(again).toBeGreaterThan(0);
      expect(hot.payloadAlloc(1000)).toBe(Status.full);
      for (const slot of [...slots, again]) hot.payloadRelease(slot);
      expect(hot.payloadBytesUsed()).toBe(0);
    });

    test("keeps its memory and views through everything", () => {
      const hot = testHotPath(kind);
      const { bytes, out, outPtr } = hot;
      const { buffer } = bytes;
      const session = hot.sessionOpen();
      const slots = Array.from({ length: 500 }, () => hot.payloadAlloc(MAX_BODY_BYTES));
      const pointers = slots.map((slot) => hot.payloadPtr(slot));
      for (let i = 0; i < 5000; i++) sendPacket(hot, session, i);
      takeAck(hot, session, 6000, { largest: 4999 });
      hot.storeOpen(32768);
      expect(hot.bytes).toBe(bytes);
      expect(hot.bytes.buffer).toBe(buffer);
      expect(buffer.byteLength).toBe(4 * 1024 * 1024);
      expect(hot.out).toBe(out);
      expect(hot.outPtr).toBe(outPtr);
      expect(slots.map((slot) => hot.payloadPtr(slot))).toEqual(pointers);
    });
  });
}

describe("memory, wasm only", () => {
  test("an idle session costs at most 512 bytes", () => {
    const hot = testHotPath("wasm");
    const before = hot.memoryUsed();
    const sessions = Array.from({ length: 1000 }, () => hot.sessionOpen());
    expect((hot.memoryUsed() - before) / 1000).toBeLessThanOrEqual(512);
    for (const session of sessions) {
      sendPacket(hot, session, 0);
      hot.packetReceived(session, 1, 0);
      takeAck(hot, session, 50, { largest: 0 });
    }
    expect((hot.memoryUsed() - before) / 1000).toBeLessThanOrEqual(512);
    for (const session of sessions) hot.sessionClose(session);
    expect(hot.memoryUsed()).toBe(before);
  });

  test("a window that a burst has grown falls back when it runs empty", () => {
    const hot = testHotPath("wasm");
    const session = hot.sessionOpen();
    for (let i = 0; i < 10_000; i++) sendPacket(hot, session, 0);
    const grown = hot.memoryUsed();
    for (let round = 0; round < 8; round++) {
      const number = sendPacket(hot, session, 1000 * round);
      for (let back = 0; back < 4; back++)
        takeAck(hot, session, 1000 * round + 900, { largest: number });
      while (hot.lossCheck(session, 1000 * round + 999) > 0);
    }
    hot.lossCheck(session, 60_000);
    for (let round = 0; round < 8; round++) {
      const number = sendPacket(hot, session, 60_000);
      takeAck(hot, session, 60_100, { largest: number });
    }
    expect(grown).toBeGreaterThan(200_000);
    expect(hot.memoryUsed()).toBeLessThanOrEqual(512);
  });

  test("sessions, stores and payloads share one memory and give all of it back", () => {
    const hot = testHotPath("wasm", 2);
    const before = hot.memoryUsed();
    const total = hot.payloadBytesTotal();
    for (let round = 0; round < 3; round++) {
      const sessions: number[] = [];
      for (let s = hot.sessionOpen(); s !== Status.full; s = hot.sessionOpen()) sessions.push(s);
      expect(sessions.length).toBeGreaterThan(5000);
      expect(hot.storeOpen(64)).toBe(Status.full);
      expect(hot.payloadAlloc(1)).toBe(Status.full);
      expect(sendPacket(hot, sessions[0] ?? 0, 0)).toBe(Status.full);
      for (const session of sessions) hot.sessionClose(session);
      const stores: number[] = [];
      for (let s = hot.storeOpen(4096); s !== Status.full; s = hot.storeOpen(4096)) stores.push(s);
      expect(stores.length).toBeGreaterThan(15);
      for (const store of stores) hot.storeClose(store);
      expect(hot.memoryUsed()).toBe(before);
      expect(hot.payloadBytesTotal()).toBe(total);
    }
  });

  test("a window that cannot grow says full and loses nothing", () => {
    const hot = testHotPath("wasm", 2);
    const session = hot.sessionOpen();
    for (let i = 0; i < 8; i++) sendPacket(hot, session, i);
    const slots: number[] = [];
    for (let s = hot.payloadAlloc(1); s !== Status.full; s = hot.payloadAlloc(1)) slots.push(s);

    let last = 0;
    while (last !== Status.full) last = sendPacket(hot, session, 10);
    const inFlight = hot.packetsInFlight(session);
    expect(sendPacket(hot, session, 11)).toBe(Status.full);
    expect(hot.packetsInFlight(session)).toBe(inFlight);
    for (const slot of slots) hot.payloadRelease(slot);
    expect(sendPacket(hot, session, 12)).toBe(inFlight);
    expect(takeAck(hot, session, 100, { largest: inFlight, also: [0] })).toBe(inFlight + 1);
  });
});
