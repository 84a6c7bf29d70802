/**
 * Linux's short way out for datagrams: `sendmmsg` with UDP_SEGMENT (udp(7)), called through FFI on the socket's own
 * file descriptor. Datagrams that follow each other in a batch to one address, all as long as the first but the last,
 * are handed over as one message and cut apart at the bottom of the stack, or by the network card: what a packet
 * costs on its way through UDP, IP and routing is paid once for several.
 *
 *   mmsghdr ──► sockaddr: one per address, kept
 *           ──► iovec, iovec, …: two per datagram, its head in the batch, its payload in the hot path's memory
 *           ──► cmsg: UDP_SEGMENT and the length of each datagram
 *
 * What the system does not take is left to the socket's ordinary way.
 */
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import type { DatagramBatch } from "../datagram-batch.ts";
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

/** Segments and bytes of one message (UDP_MAX_SEGMENTS was 64 until Linux 6.9; a datagram's length is 16 bits). */
const SEGMENTS_MAX = 64;
const MESSAGE_BYTES_MAX = 65_000;

export class GsoSender {
  readonly #calls: MessageCalls;
  readonly #sockaddrs: Sockaddrs;
  readonly #addressOf: Libc["addressOf"];
  #messages = new Uint32Array(0);
  #iovecs = new Uint32Array(0);
  #controls = new Uint32Array(0);
  #controls16 = new Uint16Array(0);
  #messagesAt = 0;
  #iovecsAt = 0;
  #hot: HotPath | undefined;
  #memoryAt = 0;
  #batch: DatagramBatch | undefined;
  /** First datagram of each message, and one past the last. */
  #firsts = new Int32Array(0);

  constructor(calls: MessageCalls, sockaddrs: Sockaddrs, addressOf: Libc["addressOf"]) {
    this.#calls = calls;
    this.#sockaddrs = sockaddrs;
    this.#addressOf = addressOf;
  }

  /** Sends from the first datagram on; returns how many the system has taken. */
  send(batch: DatagramBatch): number {
    if (this.#batch !== batch) this.#adopt(batch);
    const messages = this.#lay(batch);
    const sent = this.#calls.send(this.#messagesAt, messages);
    return this.#firsts[sent] as number;
  }

  /** Lays out tables for a batch's fixed places. */
  #adopt(batch: DatagramBatch): void {
    this.#batch = batch;
    const { capacity } = batch;
    this.#messages = new Uint32Array((capacity * MMSGHDR) / 4);
    this.#iovecs = new Uint32Array((2 * capacity * IOVEC) / 4);
    this.#controls = new Uint32Array((capacity * CMSG) / 4);
    this.#controls16 = new Uint16Array(this.#controls.buffer);
    this.#firsts = new Int32Array(capacity + 1);
    this.#messagesAt = this.#addressOf(this.#messages);
    const bytesAt = this.#addressOf(batch.bytes);
    this.#iovecsAt = this.#addressOf(this.#iovecs);
    const controlsAt = this.#addressOf(this.#controls);
    for (let i = 0; i < capacity; i++) {
      putPointer(this.#iovecs, (2 * i * IOVEC) / 4, bytesAt + batch.placeOf(i));
      const message = (i * MMSGHDR) / 4;
      this.#messages[message + 2] = this.#sockaddrs.length;
      putPointer(this.#messages, message + 8, controlsAt + i * CMSG);
      const control = (i * CMSG) / 4;
      this.#controls[control] = CMSG_LEN;
      this.#controls[control + 2] = SOL_UDP;
      this.#controls[control + 3] = UDP_SEGMENT;
    }
  }

  /** Fills the tables; returns how many messages the batch makes, up to the first datagram that can't go this way. */
  #lay(batch: DatagramBatch): number {
    this.#findMemory(batch);
    let message = 0;
    let i = 0;
    while (i < batch.count) {
      const to = batch.to(i);
      const sockaddr = this.#sockaddrs.pointerTo(to);
      if (sockaddr === 0) break;
      const length = batch.length(i);
      const first = i;
      let bytes = 0;
      let next = length;
      do {
        this.#layParts(batch, i);
        bytes += next;
        i++;
        if (next < length || i === batch.count || batch.to(i) !== to) break;
        next = batch.length(i);
      } while (next <= length && i - first < SEGMENTS_MAX && bytes + next <= MESSAGE_BYTES_MAX);
      this.#layMessage(message, first, i - first, sockaddr, length);
      this.#firsts[message++] = first;
    }
    this.#firsts[message] = i;
    return message;
  }

  #layParts(batch: DatagramBatch, i: number): void {
    const iovecs = this.#iovecs;
    const at = (2 * i * IOVEC) / 4;
    const body = batch.bodyLength(i);
    iovecs[at + 2] = batch.headLength(i);
    iovecs[at + 6] = body;
    if (body > 0) putPointer(iovecs, at + 4, this.#memoryAt + batch.bodyPtr(i));
  }

  /** Where the payloads' memory lies in this process: looked up once, as it never moves. */
  #findMemory({ hot }: DatagramBatch): void {
    if (hot === undefined || hot === this.#hot) return;
    this.#hot = hot;
    this.#memoryAt = this.#addressOf(hot.bytes);
  }

  #layMessage(message: number, first: number, count: number, to: number, length: number): void {
    const at = (message * MMSGHDR) / 4;
    putPointer(this.#messages, at, to);
    putPointer(this.#messages, at + 4, this.#iovecsAt + 2 * first * IOVEC);
    this.#messages[at + 6] = 2 * count;
    this.#messages[at + 10] = count > 1 ? CMSG : 0;
    this.#controls16[(message * CMSG) / 2 + 8] = length;
  }
}
