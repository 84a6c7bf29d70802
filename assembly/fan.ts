/**
 * Fan-out: some fragments to many receivers in one call. For each receiver the fragments it wants are numbered, noted
 * in its send window, and their packet heads written one behind the other, so that nothing is left to do per packet on
 * the other side but to gather head and body.
 *
 * What is asked for stands in the out area, and so does what was done (the contract's `Fan`):
 *
 *   0      fragments, 16 B each
 *   +--------+------------------------------+------+-------+
 *   | number | index 12, total 12, flags 8  | size | spare | …
 *   +--------+------------------------------+------+-------+
 *   512    receivers, 32 B each
 *   +---------+----------+---------+--------+--------+-------+----------------+
 *   | session | id, high | id, low | stream | wanted | taken | deadline (f64) | …
 *   +---------+----------+---------+--------+--------+-------+----------------+
 */
import {
  DATA_TYPE,
  FAN_FRAGMENTS_MAX,
  FAN_RECEIVER_BYTES,
  FAN_RECEIVERS_AT,
  FAN_RECEIVERS_MAX,
  HEAD_BYTES,
} from "./abi";
import { Heap } from "./heap";
import { Loss } from "./loss";
import { Ring } from "./ring";
import { Sessions } from "./session";

@unmanaged
class Fragment {
  number: u32;
  info: u32;
  size: u32;
  spare: u32;
}

@unmanaged
class Receiver {
  session: i32;
  idHigh: u32;
  idLow: u32;
  stream: u32;
  wanted: u32;
  taken: u32;
  deadline: f64;
}

/** What stands behind the stream index in each fragment's heads, the same for all receivers: 8 B each. */
const tails: usize = memory.data(256, 8);

export class Fan {
  /** Writes heads from `ptr` on; returns how many. */
  static heads(receivers: u32, fragments: u32, kind: u32, nowMs: f64, ptr: usize): u32 {
    assert(receivers <= FAN_RECEIVERS_MAX && fragments <= FAN_FRAGMENTS_MAX, "fan-out too large");
    assert(kind <= 0xff, "packet field out of range");
    const out = Heap.outPtr();
    for (let i: u32 = 0; i < fragments; i++) Fan.layTail(Fan.fragment(out, i), i);
    let at = ptr;
    for (let i: u32 = 0; i < receivers; i++) {
      const to = out + FAN_RECEIVERS_AT + i * FAN_RECEIVER_BYTES;
      at = Fan.receiver(changetype<Receiver>(to), out, fragments, kind, nowMs, at);
    }
    return <u32>(at - ptr) / HEAD_BYTES;
  }

  @inline static fragment(out: usize, i: u32): Fragment {
    return changetype<Fragment>(out + ((<usize>i) << 4));
  }

  /** Bytes 13 to 20 of a DATA packet (docs/WIRE.md §1): number, index and total, flags. */
  static layTail(f: Fragment, i: u32): void {
    assert(f.size <= 0xffff, "packet field out of range");
    const index = f.info & 0xfff;
    const total = (f.info >> 12) & 0xfff;
    const low = bswap<u32>((index << 20) | (total << 8) | (f.info >> 24));
    store<u64>(tails + ((<usize>i) << 3), <u64>bswap<u32>(f.number) | ((<u64>low) << 32));
  }

  /** Stops at the first fragment that the send window has no room for; returns the end of the heads. */
  static receiver(
    r: Receiver,
    out: usize,
    fragments: u32,
    kind: u32,
    nowMs: f64,
    ptr: usize,
  ): usize {
    const s = Sessions.of(r.session);
    assert(r.stream <= 0xffff, "packet field out of range");
    const high = bswap<u32>(r.idHigh);
    const low = bswap<u32>(r.idLow);
    const stream = bswap<u16>(<u16>r.stream);
    let left = r.wanted & <u32>(((<u64>1) << (<u64>fragments)) - 1);
    let at = ptr;
    let taken: u32 = 0;
    for (; left != 0; left &= left - 1) {
      const i = ctz(left);
      if (s.next - s.base == s.capacity && Ring.makeRoom(s) < 0) break;
      const f = Fan.fragment(out, i);
      const number = s.next;
      Ring.add(s, nowMs, kind, 0, r.stream, f.number, f.size);
      store<u8>(at, DATA_TYPE);
      store<u32>(at, high, 1);
      store<u32>(at, low, 5);
      store<u16>(at, bswap<u16>(<u16>number), 9);
      store<u16>(at, stream, 11);
      store<u64>(at, load<u64>(tails + ((<usize>i) << 3)), 13);
      at += HEAD_BYTES;
      taken++;
    }
    r.taken = taken;
    r.deadline = Loss.deadline(s);
    return at;
  }
}
