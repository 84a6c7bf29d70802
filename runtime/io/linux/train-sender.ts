/**
 * Trains (core/session/train.ts) straight out of the hot path's memory: one message to each receiver, or one for each
 * segment of its train, gathered by the kernel from heads and payloads where they lie and cut apart behind it
 * (UDP_SEGMENT). Nothing is copied here, and nothing kept: what is added is flushed before the node is called again.
 *
 *   message ──► sockaddr
 *           ──► iovec: head 0 │ payload 0 │ head 1 │ payload 1 │ …   as long as the first each, but for the last
 *           ──► cmsg: UDP_SEGMENT, length of the first
 */
import { Fan, type HotPath } from "../../core/hot-path/hot-path.ts";
import type { Cargo, Train } from "../../core/session/train.ts";
import type { Address } from "../../wire/address.ts";
import {
  CMSG,
  CMSG_LEN,
  IOVEC,
  type Libc,
  MMSGHDR,
  putPointer,
  SOL_UDP,
  UDP_SEGMENT,
} from "./libc.ts";
import type { MessageCalls } from "./message-calls.ts";
import type { Sockaddrs } from "./sockaddrs.ts";

const MESSAGES = 512;
const IOVECS = 8 * MESSAGES;
/** Room that a train needs at most: as many messages as fragments. */
const TRAIN_MESSAGES = 16;
const WORD = 0x1_0000_0000;

/** What one message holds, for sending it otherwise. */
interface Laid {
  to: Address;
  headPtr: number;
  bits: number;
  cargo: Cargo | undefined;
}

export class TrainSender {
  readonly #calls: MessageCalls;
  readonly #sockaddrs: Sockaddrs;
  readonly #addressOf: Libc["addressOf"];
  readonly #messages = new Uint32Array((MESSAGES * MMSGHDR) / 4);
  readonly #iovecs = new Uint32Array((IOVECS * IOVEC) / 4);
  readonly #controls = new Uint32Array((MESSAGES * CMSG) / 4);
  readonly #lengths: Uint16Array;
  readonly #messagesAt: number;
  readonly #iovecsAt: number;
  readonly #laid: Laid[] = [];
  #count = 0;
  #iovec = 0;
  /** Where what was added lies. */
  hot: HotPath | undefined;
  /** Where the hot path's memory lies in this process. */
  #low = 0;
  #high = 0;

  constructor(
    calls: MessageCalls,
    sockaddrs: Sockaddrs,
    addressOf: (bytes: Uint8Array | Uint32Array) => number,
  ) {
    this.#calls = calls;
    this.#sockaddrs = sockaddrs;
    this.#addressOf = addressOf;
    this.#lengths = new Uint16Array(this.#controls.buffer);
    this.#messagesAt = addressOf(this.#messages);
    this.#iovecsAt = addressOf(this.#iovecs);
    const controlsAt = addressOf(this.#controls);
    for (let i = 0; i < MESSAGES; i++) {
      this.#laid.push({
        to: { family: 4, ip: "0.0.0.0", port: 0 },
        headPtr: 0,
        bits: 0,
        cargo: undefined,
      });
      const message = (i * MMSGHDR) / 4;
      this.#messages[message + 2] = sockaddrs.length;
      putPointer(this.#messages, message + 8, controlsAt + i * CMSG);
      const control = (i * CMSG) / 4;
      this.#controls[control] = CMSG_LEN;
      this.#controls[control + 2] = SOL_UDP;
      this.#controls[control + 3] = UDP_SEGMENT;
    }
    for (let i = 0; i < IOVECS; i += 2) this.#iovecs[(i * IOVEC) / 4 + 2] = Fan.headBytes;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** No room for another train: `flush` first. */
  get isFull(): boolean {
    return this.#count > MESSAGES - TRAIN_MESSAGES || this.#iovec > IOVECS - 2 * Fan.fragmentsMax;
  }

  /** False when its receiver cannot be reached this way. */
  add(train: Readonly<Train>, hot: HotPath): boolean {
    const to = this.#sockaddrs.pointerTo(train.to);
    if (to === 0) return false;
    if (hot !== this.hot) this.#findMemory(hot);
    const { cargo } = train;
    let headPtr = train.headPtr;
    for (let left = train.bits; left !== 0; ) {
      const rest = this.#layMessage(to, headPtr, left, cargo);
      const laid = this.#laid[this.#count++] as Laid;
      laid.to = train.to;
      laid.headPtr = headPtr;
      laid.bits = left & ~rest;
      laid.cargo = cargo;
      for (let bits = laid.bits; bits !== 0; bits &= bits - 1) headPtr += Fan.headBytes;
      left = rest;
    }
    return true;
  }

  /** Lays datagrams until one is shorter than the first or the next one longer; returns the bits that are left. */
  #layMessage(to: number, headPtr: number, bits: number, cargo: Cargo): number {
    const iovecs = this.#iovecs;
    const { lengths, ptrs } = cargo;
    const first = this.#iovec;
    const length = lengths[31 - Math.clz32(bits & -bits)] as number;
    let left = bits;
    let head = headPtr;
    let body = length;
    while (left !== 0) {
      const i = 31 - Math.clz32(left & -left);
      if ((lengths[i] as number) > length || body < length) break;
      body = lengths[i] as number;
      const at = (this.#iovec * IOVEC) / 4;
      this.#put(iovecs, at, head);
      this.#put(iovecs, at + 4, ptrs[i] as number);
      iovecs[at + 6] = body;
      this.#iovec += 2;
      head += Fan.headBytes;
      left &= left - 1;
    }
    const at = (this.#count * MMSGHDR) / 4;
    putPointer(this.#messages, at, to);
    putPointer(this.#messages, at + 4, this.#iovecsAt + first * IOVEC);
    const parts = this.#iovec - first;
    this.#messages[at + 6] = parts;
    this.#messages[at + 10] = parts > 2 ? CMSG : 0;
    this.#lengths[(this.#count * CMSG) / 2 + 8] = Fan.headBytes + length;
    return left;
  }

  #put(words: Uint32Array, at: number, ptr: number): void {
    const low = this.#low + ptr;
    words[at] = low;
    words[at + 1] = low < WORD ? this.#high : this.#high + 1;
  }

  /** Looked up once, as it never moves. */
  #findMemory(hot: HotPath): void {
    const at = this.#addressOf(hot.bytes);
    this.hot = hot;
    this.#high = Math.floor(at / WORD);
    this.#low = at - this.#high * WORD;
  }

  /**
   * Sends what was added. Returns the datagrams taken; each that was not is handed to `left` as its receiver, its head
   * and its payload's slot, in order.
   */
  flush(left: (to: Address, headPtr: number, slot: number) => void): number {
    const count = this.#count;
    if (count === 0) return 0;
    const sent = this.#calls.send(this.#messagesAt, count);
    let untaken = 0;
    for (let i = sent; i < count; i++) untaken += handOver(this.#laid[i] as Laid, left);
    const datagrams = this.#iovec / 2 - untaken;
    this.#count = 0;
    this.#iovec = 0;
    return datagrams;
  }
}

function handOver(laid: Laid, left: (to: Address, headPtr: number, slot: number) => void): number {
  let { headPtr } = laid;
  let count = 0;
  for (let bits = laid.bits; bits !== 0; bits &= bits - 1) {
    const slot = laid.cargo?.slots[31 - Math.clz32(bits & -bits)] ?? 0;
    left(laid.to, headPtr, slot);
    headPtr += Fan.headBytes;
    count++;
  }
  return count;
}
