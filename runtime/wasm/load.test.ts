import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  Fan,
  HEADER_ARENA_BYTES,
  Inserted,
  MAX_ACK_BYTES,
  MAX_BODY_BYTES,
  MAX_FRAGMENTS,
  MAX_IN_FLIGHT,
  MAX_SESSIONS,
  MAX_SETTLED,
  MAX_STORES,
  OUT_BYTES,
  Received,
  Settled,
  Status,
} from "../core/hot-path/hot-path.ts";
import { PacketType } from "../wire/packet.ts";
import { createHotPath } from "./create.ts";
import { HotPathAbort } from "./load.ts";
import { testHotPath } from "./testing.ts";

/** The constants of `assembly/abi.ts`, which only `asc` can compile. */
function abi(): Record<string, number> {
  const text = readFileSync(new URL("../../assembly/abi.ts", import.meta.url), "utf8");
  const found: Record<string, number> = {};
  for (const [, name = "", value = ""] of text.matchAll(/^export const (\w+): \w+ = ([^;]+);/gm)) {
    found[name] = value.split("*").reduce((product, factor) => product * Number(factor), 1);
  }
  return found;
}

test("both sides of the border know the same numbers", () => {
  expect(abi()).toMatchObject({
    STATUS_FULL: Status.full,
    STATUS_WINDOW: Status.window,
    STATUS_MALFORMED: Status.malformed,
    STATUS_DUPLICATE: Status.duplicate,
    STATUS_OLD: Status.old,
    STATUS_CONFLICT: Status.conflict,
    RECEIVED_FRESH: Received.fresh,
    RECEIVED_GAP: Received.gap,
    INSERTED_FRESH: Inserted.fresh,
    INSERTED_COMPLETED: Inserted.completed,
    OUT_BYTES,
    HEADER_ARENA_BYTES,
    MAX_SETTLED,
    MAX_IN_FLIGHT,
    MAX_BODY_BYTES,
    MAX_FRAGMENTS,
    MAX_SESSIONS,
    MAX_STORES,
    ACK_BITMAP_BYTES_MAX: MAX_ACK_BYTES - 15,
    SETTLED_ACKED: 4 * Settled.acked,
    SETTLED_LOST: 4 * Settled.lost,
    SETTLED_BYTES_ACKED: 4 * Settled.bytesAcked,
    SETTLED_BYTES_LOST: 4 * Settled.bytesLost,
    SETTLED_SPURIOUS: 4 * Settled.spurious,
    SETTLED_CLOCK: 4 * Settled.receiverClock,
    SETTLED_LARGEST_IS_NEW: 4 * Settled.largestIsNew,
    SETTLED_ACK_DELAY: 4 * Settled.ackDelay,
    SETTLED_LARGEST_SENT: 8 * Settled.largestSentF64,
    SETTLED_ENTRIES: Settled.entriesAt,
    SETTLED_ENTRY_BYTES: Settled.entryBytes,
    FAN_FRAGMENTS_MAX: Fan.fragmentsMax,
    FAN_FRAGMENT_BYTES: Fan.fragmentBytes,
    FAN_RECEIVERS_AT: Fan.receiversAt,
    FAN_RECEIVER_BYTES: Fan.receiverBytes,
    FAN_RECEIVERS_MAX: Fan.receiversMax,
    HEAD_BYTES: Fan.headBytes,
    DATA_TYPE: PacketType.DATA,
  });
  expect(Settled.entriesAt + MAX_SETTLED * Settled.entryBytes).toBeLessThanOrEqual(OUT_BYTES);
  expect(4 * MAX_FRAGMENTS).toBeLessThanOrEqual(OUT_BYTES);
});

test("misuse stops with what was asserted, and where", () => {
  const hot = testHotPath("wasm");
  try {
    hot.sessionClose(1234);
    throw new Error("not reached");
  } catch (error) {
    expect(error).toBeInstanceOf(HotPathAbort);
    expect(String(error)).toMatch(/session handle \(assembly\/session\.ts:\d+:\d+\)/);
  }
});

test("the memory has the size that was asked for, within bounds", () => {
  for (const memoryMiB of [2, 3.5, 64, 1024]) {
    expect(createHotPath({ memoryMiB }).bytes.length).toBe(memoryMiB * 1024 * 1024);
  }
  for (const memoryMiB of [0, 1.9, 1025, Number.NaN]) {
    expect(() => createHotPath({ memoryMiB })).toThrow(RangeError);
  }
});

test("a slot in the last page of the largest memory has an ordinary handle", () => {
  const hot = createHotPath({ memoryMiB: 1024 });
  while (hot.storeOpen(32768) > 0); /* half a MiB each, most of it untouched */
  const slot = hot.payloadAlloc(1152);
  expect(slot).toBeGreaterThan(0);
  expect(hot.payloadPtr(slot)).toBeGreaterThan(1000 * 1024 * 1024);
  expect(hot.payloadLength(slot)).toBe(1152);
});

test("instances share nothing", () => {
  const a = createHotPath({ memoryMiB: 2 });
  const b = createHotPath({ memoryMiB: 2 });
  a.payloadAlloc(100);
  expect(b.payloadBytesUsed()).toBe(0);
  expect(a.bytes.buffer).not.toBe(b.bytes.buffer);
});
