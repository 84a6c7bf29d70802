/** Exports of the hot path; what they mean stands in `runtime/core/hot-path/hot-path.ts`. */
import { Fan } from "./fan";
import { Heap } from "./heap";
import { Insert } from "./insert";
import { Loss } from "./loss";
import { Payload } from "./payload";
import { Read } from "./read";
import { Receive } from "./receive";
import { Ring } from "./ring";
import { Rtt } from "./rtt";
import { Sessions } from "./session";
import { Evict, Stores } from "./store";

/** Divides the memory; the loader calls it once. */
export function init(): void {
  Heap.init();
  Payload.init();
  Sessions.init();
}

export function outPtr(): usize {
  return Heap.outPtr();
}

export function headerArenaPtr(): usize {
  return Heap.arenaPtr();
}

export function memoryUsed(): f64 {
  return Heap.bytesUsed();
}

export function payloadAlloc(length: u32): i32 {
  return Payload.alloc(length);
}

export function payloadPtr(slot: i32): u32 {
  return Payload.ptr(slot);
}

export function payloadLength(slot: i32): u32 {
  return Payload.length(slot);
}

export function payloadRetain(slot: i32): void {
  Payload.retain(slot);
}

export function payloadRelease(slot: i32): void {
  Payload.release(slot);
}

export function payloadBytesUsed(): u32 {
  return Payload.bytesUsed();
}

export function payloadBytesTotal(): f64 {
  return Heap.payloadBytesTotal();
}

export function sessionOpen(firstSent: u32, firstReceived: u32): i32 {
  return Sessions.open(firstSent, firstReceived);
}

export function sessionClose(session: i32): void {
  Sessions.close(session);
}

export function packetSent(
  session: i32,
  nowMs: f64,
  kind: u32,
  attempt: u32,
  stream: u32,
  key: u32,
  size: u32,
): f64 {
  return Ring.packetSent(session, nowMs, kind, attempt, stream, key, size);
}

export function fanHeads(receivers: u32, fragments: u32, kind: u32, nowMs: f64, ptr: usize): u32 {
  return Fan.heads(receivers, fragments, kind, nowMs, ptr);
}

export function bytesInFlight(session: i32): u32 {
  return Sessions.of(session).bytesInFlight;
}

export function packetsInFlight(session: i32): u32 {
  return Sessions.of(session).packetsInFlight;
}

export function ackParse(session: i32, nowMs: f64, ptr: usize, length: u32): i32 {
  return Loss.ackParse(session, nowMs, ptr, length);
}

export function lossCheck(session: i32, nowMs: f64): i32 {
  return Loss.lossCheck(session, nowMs);
}

export function lossDeadline(session: i32): f64 {
  return Loss.deadline(Sessions.of(session));
}

export function tailProbeDue(session: i32, nowMs: f64): bool {
  return Loss.tailProbeDue(session, nowMs);
}

export function srttMs(session: i32): f64 {
  return Sessions.of(session).srtt;
}

export function rttVarMs(session: i32): f64 {
  return Sessions.of(session).rttVar;
}

export function minRttMs(session: i32): f64 {
  return Sessions.of(session).minRtt;
}

export function latestRttMs(session: i32): f64 {
  return Sessions.of(session).latestRtt;
}

export function lossRate(session: i32): f64 {
  return Sessions.of(session).lossRate;
}

export function repairCopies(session: i32, nowMs: f64, deadlineMs: f64): i32 {
  return Rtt.repairCopies(session, nowMs, deadlineMs);
}

export function packetReceived(session: i32, nowMs: f64, number16: u32): i32 {
  return Receive.packetReceived(session, nowMs, number16);
}

export function ackPending(session: i32): u32 {
  return Receive.ackPending(session);
}

export function ackBuild(session: i32, nowMs: f64, ptr: usize): u32 {
  return Receive.ackBuild(session, nowMs, ptr);
}

export function storeOpen(capacity: u32): i32 {
  return Stores.open(capacity);
}

export function storeClose(store: i32): void {
  Stores.close(store);
}

export function fragmentInsert(
  store: i32,
  number: u32,
  index: u32,
  total: u32,
  flags: u32,
  slot: i32,
  nowMs: f64,
): i32 {
  return Insert.fragment(store, number, index, total, flags, slot, nowMs);
}

export function fragmentSlot(store: i32, number: u32): i32 {
  return Read.fragmentSlot(store, number);
}

export function fragmentInfo(store: i32, number: u32): bool {
  return Read.fragmentInfo(store, number);
}

export function segmentSlots(store: i32, first: u32): u32 {
  return Read.segmentSlots(store, first);
}

export function holes(store: i32, from: u32, to: u32, limit: u32): u32 {
  return Read.holes(store, from, to, limit);
}

export function mapBuild(store: i32, from: u32, bits: u32, ptr: usize): u32 {
  return Read.mapBuild(store, from, bits, ptr);
}

export function storeOldest(store: i32): u32 {
  return Read.oldest(store);
}

export function storeNext(store: i32): u32 {
  return Read.next(store);
}

export function evictBefore(store: i32, number: u32): u32 {
  return Evict.evictBefore(store, number);
}

export function evictOlder(store: i32, arrivedMs: f64): u32 {
  return Evict.evictOlder(store, arrivedMs);
}
