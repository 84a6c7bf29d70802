/**
 * The short way of a push: fragments that are due together go to every receiver that nothing holds back in one call of
 * the hot path, past the receivers' queues. Whoever has something waiting, is paced, lacks what it depends on or has a
 * full window takes the ordinary way (send-queue.ts), which the caller goes for those that `offer` refuses. What is
 * sent so is noted as if the queue had sent it: repairs, demand and pacing know no difference.
 */
import type { Ms } from "../../base/time.ts";
import { Fan } from "../hot-path/hot-path.ts";
import { PRIORITY_MASK, Priority, SendClass } from "../sending/send-queue.ts";
import type { NodeContext } from "./node-context.ts";
import type { Session } from "./session.ts";
import { PacketKind } from "./session-types.ts";
import { Cargo } from "./train.ts";

/** Fragments of one round, at most: so much may leave for one receiver at a time (rate-control.ts, its credit). */
export const FAN_FRAGMENTS = 16;
const ROW_WORDS = Fan.receiverBytes / 4;
const ROWS_AT = Fan.receiversAt / 4;

export interface FanFragment {
  number: number;
  index: number;
  total: number;
  /** As they go on the wire. */
  flags: number;
  slot: number;
  /** Of the body. */
  bytes: number;
  captured: number;
}

/** What the round has of one segment. */
interface Part {
  first: number;
  total: number;
  flags: number;
  captured: number;
  beginsGroup: boolean;
  /** Bit i: the round's i-th fragment is its. */
  bits: number;
}

export class FanOut {
  readonly #context: NodeContext;
  readonly #table = new Int32Array(FAN_FRAGMENTS * (Fan.fragmentBytes / 4));
  /** UDP payload bytes of each fragment's packet. */
  readonly #sizes = new Int32Array(FAN_FRAGMENTS);
  readonly #rows = new Int32Array(Fan.receiversMax * ROW_WORDS);
  readonly #sessions: Session[] = [];
  readonly #playoutMs: number[] = [];
  readonly #parts: Part[] = [];
  #cargo = new Cargo();
  #isFree = false;
  #fragments = 0;
  #all = 0;
  #bytesOfAll = 0;
  #heads = 0;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /** Begins a round of up to `FAN_FRAGMENTS` fragments; when the uplink has a rate to keep, all must queue. */
  begin(fragments: readonly FanFragment[]): void {
    this.#isFree = this.#context.uplink.isFree;
    if (!this.#isFree || fragments.length === 0) return;
    this.#cargo = new Cargo();
    this.#context.outbox.hold(this.#cargo);
    this.#fragments = 0;
    this.#parts.length = 0;
    for (const fragment of fragments) this.#add(fragment);
    this.#all = 2 ** fragments.length - 1;
    this.#bytesOfAll = this.#sum(this.#all);
  }

  #add(fragment: FanFragment): void {
    const { number, index, total, flags, slot, bytes, captured } = fragment;
    const i = this.#fragments++;
    const size = Fan.headBytes + bytes;
    const at = (i * Fan.fragmentBytes) / 4;
    this.#table[at] = number;
    this.#table[at + 1] = index | (total << 12) | (flags << 24);
    this.#table[at + 2] = size;
    this.#sizes[i] = size;
    this.#cargo.add(this.#context.hot, slot);
    const first = (number - index) >>> 0;
    let part = this.#parts[this.#parts.length - 1];
    if (part?.first !== first) {
      part = { first, total, flags, captured, beginsGroup: false, bits: 0 };
      this.#parts.push(part);
    }
    part.bits |= 1 << i;
    if (index === 0 && (flags & PRIORITY_MASK) === Priority.key) part.beginsGroup = true;
  }

  /**
   * Sends the fragments of `wanted` (bit i = the i-th) as stream `stream` of the session, by `end` at the latest. False
   * when they must queue.
   */
  offer(now: Ms, session: Session, stream: number, wanted: number, playoutMs: number): boolean {
    if (!this.#isFree || !session.isOpen || !this.#isClear(now, session, stream)) return false;
    const count = wanted === this.#all ? this.#fragments : bitCount(wanted);
    const { roomForHeads } = this.#context.outbox;
    if (this.#sessions.length === Fan.receiversMax || this.#heads + count > roomForHeads) {
      this.#send(now);
      if (count > this.#context.outbox.roomForHeads) return false;
    }
    const at = this.#sessions.length * ROW_WORDS;
    this.#rows[at] = session.handle;
    this.#rows[at + 1] = session.remoteHi;
    this.#rows[at + 2] = session.remoteLo;
    this.#rows[at + 3] = stream;
    this.#rows[at + 4] = wanted;
    this.#heads += count;
    this.#sessions.push(session);
    this.#playoutMs.push(playoutMs);
    this.#note(now, session, stream, wanted, playoutMs);
    return true;
  }

  #isClear(now: Ms, session: Session, stream: number): boolean {
    for (const { first } of this.#parts) {
      if (!session.queue.isClear(now, stream, first)) return false;
    }
    return true;
  }

  /** Tells the queue of what is about to be sent. */
  #note(now: Ms, session: Session, stream: number, wanted: number, playoutMs: number): void {
    const { queue } = session;
    const outgoing = queue.noteDirect(now, stream, this.#bytesOf(wanted));
    for (const part of this.#parts) {
      const bits = part.bits & wanted;
      if (bits === 0) continue;
      const { first, total, flags, captured } = part;
      outgoing.noteSegment(now, first, total, flags, SendClass.push, captured + playoutMs);
      if (queue.takesParts || (flags & PRIORITY_MASK) < Priority.key) continue;
      outgoing.noteDemand(now, part.beginsGroup, this.#bytesOf(bits));
    }
  }

  #bytesOf(bits: number): number {
    return bits === this.#all ? this.#bytesOfAll : this.#sum(bits);
  }

  #sum(bits: number): number {
    let bytes = 0;
    for (let left = bits; left !== 0; left &= left - 1) {
      bytes += this.#sizes[31 - Math.clz32(left & -left)] as number;
    }
    return bytes;
  }

  /** Everything offered is in the outbox. */
  end(now: Ms): void {
    this.#send(now);
  }

  #send(now: Ms): void {
    const { hot, outbox, uplink } = this.#context;
    const receivers = this.#sessions.length;
    if (receivers === 0) return;
    const ptr = outbox.reserve(this.#heads * Fan.headBytes);
    hot.out.set(this.#table.subarray(0, (this.#fragments * Fan.fragmentBytes) / 4));
    hot.out.set(this.#rows.subarray(0, receivers * ROW_WORDS), ROWS_AT);
    hot.fanHeads(receivers, this.#fragments, PacketKind.fragment, now, ptr);
    let bytes = 0;
    for (let i = 0; i < receivers; i++) bytes += this.#commit(now, i);
    uplink.countFanned(now, bytes);
    this.#sessions.length = 0;
    this.#playoutMs.length = 0;
    this.#heads = 0;
  }

  /** Puts the i-th receiver's train into the outbox; returns its bytes. */
  #commit(now: Ms, i: number): number {
    const { hot, outbox, line } = this.#context;
    const session = this.#sessions[i] as Session;
    const at = ROWS_AT + i * ROW_WORDS;
    const wanted = this.#rows[i * ROW_WORDS + 4] as number;
    const taken = hot.out[at + 5] as number;
    const due = hot.outF64[at / 2 + 3] as number;
    const bits = lowest(wanted, taken);
    if (bits !== wanted) this.#queue(now, i, wanted & ~bits);
    const bytes = this.#bytesOf(bits);
    if (bits !== 0) outbox.commitTrain(session.address, taken, bits, this.#cargo, bytes, line);
    session.noteFanned(now, bytes, due as Ms);
    return bytes;
  }

  /** What the i-th receiver's window had no room for waits in its queue. */
  #queue(now: Ms, i: number, bits: number): void {
    const { queue } = this.#sessions[i] as Session;
    const stream = this.#rows[i * ROW_WORDS + 3] as number;
    for (const { first, total, flags, captured, bits: own } of this.#parts) {
      const deadline = captured + (this.#playoutMs[i] as number);
      for (let left = bits & own; left !== 0; left &= left - 1) {
        const at = 31 - Math.clz32(left & -left);
        const number = (this.#table[(at * Fan.fragmentBytes) / 4] as number) >>> 0;
        const bytes = (this.#sizes[at] as number) - Fan.headBytes;
        const index = (number - first) >>> 0;
        const { push } = SendClass;
        queue.enqueueFragment(now, stream, number, index, total, flags, bytes, deadline, push);
      }
    }
  }
}

function bitCount(bits: number): number {
  let count = 0;
  for (let left = bits; left !== 0; left &= left - 1) count++;
  return count;
}

/** The lowest `count` of the bits. */
function lowest(bits: number, count: number): number {
  if (count === bitCount(bits)) return bits;
  let left = bits;
  for (let i = 0; i < count; i++) left &= left - 1;
  return bits & ~left;
}
