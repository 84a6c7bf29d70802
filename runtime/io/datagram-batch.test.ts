import { expect, test } from "bun:test";
import { testHotPath } from "../wasm/testing.ts";
import type { Address } from "../wire/address.ts";
import { DATAGRAM_BYTES_MAX, DatagramBatch } from "./datagram-batch.ts";

const TO: Address = { family: 4, ip: "10.0.0.1", port: 9 };

/** A head of `headLength` bytes and a payload of `tail`, as a node hands them out. */
function transmitOf(headLength: number, tail: number) {
  const hot = testHotPath("wasm");
  const slot = tail === 0 ? 0 : hot.payloadAlloc(tail);
  hot.bytes.fill(1, hot.headerArenaPtr, hot.headerArenaPtr + headLength);
  if (slot !== 0) hot.bytes.fill(2, hot.payloadPtr(slot), hot.payloadPtr(slot) + tail);
  const headPtr = hot.headerArenaPtr;
  return { hot, slot, transmit: { kind: "transmit", to: TO, headPtr, headLength, slot } as const };
}

test("a payload stays where it is until it is asked for in one piece", () => {
  const { hot, slot, transmit } = transmitOf(21, 1152);
  const batch = new DatagramBatch(2);
  batch.addTransmit(transmit, hot);
  hot.bytes.fill(7, hot.headerArenaPtr, hot.headerArenaPtr + 21);
  expect(batch.length(0)).toBe(1173);
  expect([batch.headLength(0), batch.bodyLength(0)]).toEqual([21, 1152]);
  expect(batch.bodyPtr(0)).toBe(hot.payloadPtr(slot));
  const data = batch.data(0);
  expect(data.length).toBe(1173);
  expect([data[0], data[20], data[21], data[1172]]).toEqual([1, 1, 2, 2]);
  expect([batch.headLength(0), batch.bodyLength(0), batch.length(0)]).toEqual([1173, 0, 1173]);
});

test("holds a payload from adding to clearing, in one piece or not", () => {
  const { hot, slot, transmit } = transmitOf(21, 100);
  const batch = new DatagramBatch(2);
  for (const isJoined of [false, true]) {
    const before = hot.payloadBytesUsed();
    batch.addTransmit(transmit, hot);
    hot.payloadRetain(slot);
    hot.payloadRelease(slot);
    if (isJoined) batch.data(0);
    batch.clear();
    expect(hot.payloadBytesUsed()).toBe(before);
  }
  batch.addTransmit(transmit, hot);
  hot.payloadRelease(slot);
  expect(hot.payloadBytesUsed()).toBeGreaterThan(0);
  batch.clear();
  expect(hot.payloadBytesUsed()).toBe(0);
});

test("long heads without a payload, and bytes of one's own", () => {
  const { hot, transmit } = transmitOf(1200, 0);
  const batch = new DatagramBatch(2);
  batch.addTransmit(transmit, hot);
  batch.add(TO, new Uint8Array([3, 4]));
  expect(batch.data(0)).toEqual(new Uint8Array(1200).fill(1));
  expect([...batch.data(1)]).toEqual([3, 4]);
  expect(batch.isFull).toBe(true);
  batch.clear();
  expect(() => batch.add(TO, new Uint8Array(DATAGRAM_BYTES_MAX + 1))).toThrow("too long");
});
