/**
 * The send window: packets from `base` to `next`, each at its number modulo the ring's capacity.
 *
 *   base                  oldest unsettled         largest ACKed          next
 *   +------+-------+------+----------------+-------+-------------+- … -+
 *   | lost | ACKed | lost | in flight      | ACKed | in flight   |     |   (lost: remembered, its ACK may yet come)
 *   +------+-------+------+----------------+-------+-------------+- … -+
 *
 * one entry (24 B):
 *
 *   0               8      12       14     16     17        18      19
 *   +---------------+------+--------+------+------+---------+-------+- 5 spare -+
 *   | sent at (f64) | key  | stream | size | kind | attempt | state |
 *   +---------------+------+--------+------+------+---------+-------+-----------+
 *
 * The ring exists from the first packet on, starts with 2 entries, doubles when full, and falls back to a quarter each
 * time the window runs empty.
 */
import { MAX_IN_FLIGHT, STATUS_FULL, STATUS_WINDOW } from "./abi";
import { Heap } from "./heap";
import { Session, Sessions } from "./session";

const CAPACITY_MIN: u32 = 2;
const SENT_MAX: u32 = 0x80000000;

export const STATE_IN_FLIGHT: u8 = 1;
export const STATE_ACKED: u8 = 2;
export const STATE_LOST: u8 = 3;

@unmanaged
export class Sent {
  at: f64;
  key: u32;
  stream: u16;
  size: u16;
  kind: u8;
  attempt: u8;
  state: u8;
  spare8: u8;
  spare32: u32;
}

export class Ring {
  @inline static entry(s: Session, number: u32): Sent {
    return changetype<Sent>(<usize>s.ring + (number & (s.capacity - 1)) * offsetof<Sent>());
  }

  /** A status in f64, because packet numbers take the whole of u32. */
  static packetSent(
    session: i32,
    nowMs: f64,
    kind: u32,
    attempt: u32,
    stream: u32,
    key: u32,
    size: u32,
  ): f64 {
    const s = Sessions.of(session);
    assert((kind | attempt) <= 0xff && (stream | size) <= 0xffff, "packet field out of range");
    if (s.next - s.base == s.capacity) {
      const status = Ring.makeRoom(s);
      if (status < 0) return <f64>status;
    }
    const number = s.next;
    Ring.add(s, nowMs, kind, attempt, stream, key, size);
    return <f64>number;
  }

  /** Files the next packet; there is room for it. */
  @inline static add(
    s: Session,
    nowMs: f64,
    kind: u32,
    attempt: u32,
    stream: u32,
    key: u32,
    size: u32,
  ): void {
    const number = s.next;
    const entry = Ring.entry(s, number);
    entry.at = nowMs;
    entry.key = key;
    entry.stream = <u16>stream;
    entry.size = <u16>size;
    entry.kind = <u8>kind;
    entry.attempt = <u8>attempt;
    entry.state = STATE_IN_FLIGHT;
    s.next = number + 1;
    if (s.sent != SENT_MAX) s.sent++;
    s.bytesInFlight += size;
    s.packetsInFlight++;
    s.probeFrom = nowMs;
    s.repairLast = attempt != 0;
  }

  /** Room for one more packet behind a ring that is full: 0, or why there is none. */
  static makeRoom(s: Session): i32 {
    if (s.capacity == MAX_IN_FLIGHT) {
      if (s.oldest == s.base) return STATUS_WINDOW;
      s.base++;
      return 0;
    }
    return Ring.grow(s) ? 0 : STATUS_FULL;
  }

  static grow(s: Session): bool {
    const old = s.ring;
    const oldCapacity = s.capacity;
    const capacity = oldCapacity ? oldCapacity << 1 : CAPACITY_MIN;
    const ring = <u32>Heap.takeBytes(capacity * offsetof<Sent>());
    if (ring == 0) return false;
    s.ring = ring;
    s.capacity = capacity;
    for (let number = s.base; number != s.next; number++) {
      const from = <usize>old + (number & (oldCapacity - 1)) * offsetof<Sent>();
      memory.copy(changetype<usize>(Ring.entry(s, number)), from, offsetof<Sent>());
    }
    if (oldCapacity) Heap.giveBytes(old, oldCapacity * offsetof<Sent>());
    return true;
  }

  /** Takes a smaller ring for an empty window, if there is one to be had. */
  static shrink(s: Session): void {
    const oldCapacity = s.capacity;
    if (oldCapacity <= CAPACITY_MIN) return;
    const capacity = max(oldCapacity >> 2, CAPACITY_MIN);
    const ring = <u32>Heap.takeBytes(capacity * offsetof<Sent>());
    if (ring == 0) return;
    Heap.giveBytes(s.ring, oldCapacity * offsetof<Sent>());
    s.ring = ring;
    s.capacity = capacity;
  }

  static release(s: Session): void {
    Heap.giveBytes(s.ring, s.capacity * offsetof<Sent>());
    s.capacity = 0;
  }
}
