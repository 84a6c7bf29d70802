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
import type { HotPath } from "../core/hot-path/hot-path.ts";
import type { Address } from "../wire/address.ts";
import { parseIpv4, parseIpv6 } from "../wire/ip-text.ts";
import type { DatagramBatch } from "./datagram-batch.ts";

/* Linux, the same on x86-64 and arm64. */
const AF_INET = 2;
const AF_INET6 = 10;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EAGAIN = 11;
/** ICMP's answer to an earlier datagram: the next call is unharmed. */
const ERRNO_NEWS: readonly number[] = [111, 113, 101];

/* Bytes, from <bits/socket.h>; 64-bit pointers. */
const MMSGHDR = 64;
const IOVEC = 16;
const SOCKADDR = 32;
const CMSG = 24;
const CMSG_LEN = 18;

/** Segments and bytes of one message (UDP_MAX_SEGMENTS was 64 until Linux 6.9; a datagram's length is 16 bits). */
const SEGMENTS_MAX = 64;
const MESSAGE_BYTES_MAX = 65_000;
const ADDRESSES_MAX = 16_384;
const NEWS_MAX = 4;

interface Libc {
  sendmmsg(fd: number, messages: number, count: number, flags: number): number;
  errno(): number;
}

export class GsoSender {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #isIpv6: boolean;
  readonly #addressOf: (bytes: Uint8Array | Uint32Array) => number;
  readonly #slots = new Map<Address, number>();
  readonly #sockaddrs = new Uint8Array(ADDRESSES_MAX * SOCKADDR);
  readonly #sockaddrsAt: number;
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
  /** The system has refused what it said it could do. */
  isBroken = false;

  constructor(
    libc: Libc,
    fd: number,
    isIpv6: boolean,
    addressOf: (bytes: Uint8Array | Uint32Array) => number,
  ) {
    this.#libc = libc;
    this.#fd = fd;
    this.#isIpv6 = isIpv6;
    this.#addressOf = addressOf;
    this.#sockaddrsAt = addressOf(this.#sockaddrs);
  }

  /** Sends from the first datagram on; returns how many the system has taken. */
  send(batch: DatagramBatch): number {
    if (this.#batch !== batch) this.#adopt(batch);
    const messages = this.#lay(batch);
    let sent = 0;
    let news = 0;
    while (sent < messages) {
      const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
      const at = this.#messagesAt + sent * MMSGHDR;
      const taken = this.#libc.sendmmsg(this.#fd, at, messages - sent, flags);
      if (taken > 0) {
        sent += taken;
        continue;
      }
      const errno = this.#libc.errno();
      if (ERRNO_NEWS.includes(errno) && news++ < NEWS_MAX) continue;
      if (errno !== EAGAIN && !ERRNO_NEWS.includes(errno)) this.isBroken = true;
      break;
    }
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
      this.#messages[message + 2] = this.#isIpv6 ? 28 : 16;
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
      const slot = this.#slots.get(to) ?? this.#addSlot(to);
      if (slot < 0) break;
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
      this.#layMessage(message, first, i - first, slot, length);
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

  #layMessage(message: number, first: number, count: number, slot: number, length: number): void {
    const at = (message * MMSGHDR) / 4;
    putPointer(this.#messages, at, this.#sockaddrsAt + slot * SOCKADDR);
    putPointer(this.#messages, at + 4, this.#iovecsAt + 2 * first * IOVEC);
    this.#messages[at + 6] = 2 * count;
    this.#messages[at + 10] = count > 1 ? CMSG : 0;
    this.#controls16[(message * CMSG) / 2 + 8] = length;
  }

  /** Keeps an address as the system wants it; −1 when it needs more than that (a zone). */
  #addSlot(to: Address): number {
    if (to.family === 4 ? false : !this.#isIpv6 || to.ip.toLowerCase().startsWith("fe80"))
      return -1;
    const ip = to.family === 4 ? parseIpv4(to.ip) : parseIpv6(to.ip);
    if (ip === undefined) return -1;
    if (this.#slots.size === ADDRESSES_MAX) this.#slots.clear();
    const slot = this.#slots.size;
    const at = slot * SOCKADDR;
    const bytes = this.#sockaddrs.fill(0, at, at + SOCKADDR);
    bytes[at] = this.#isIpv6 ? AF_INET6 : AF_INET;
    bytes[at + 2] = to.port >>> 8;
    bytes[at + 3] = to.port;
    if (!this.#isIpv6) bytes.set(ip, at + 4);
    else if (to.family === 6) bytes.set(ip, at + 8);
    else bytes.set([0xff, 0xff, ...ip], at + 18);
    this.#slots.set(to, slot);
    return slot;
  }
}

/** 64 bits of an address, low word first. */
function putPointer(words: Uint32Array, at: number, pointer: number): void {
  words[at] = pointer;
  words[at + 1] = Math.floor(pointer / 0x1_0000_0000);
}

/** A sender for the socket behind `fd`; undefined where this way does not exist. */
export async function createGsoSender(fd: number, isIpv6: boolean): Promise<GsoSender | undefined> {
  if (process.platform !== "linux") return undefined;
  if (process.arch !== "x64" && process.arch !== "arm64") return undefined;
  try {
    const { dlopen, ptr, read } = await import("bun:ffi");
    const { symbols } = dlopen("libc.so.6", {
      sendmmsg: { args: ["i32", "usize", "u32", "i32"], returns: "i32" },
      setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
      __errno_location: { args: [], returns: "ptr" },
    });
    /* 0 = no segmenting but where a message says so; an older kernel does not know the option. */
    const none = new Int32Array(1);
    if (symbols.setsockopt(fd, SOL_UDP, UDP_SEGMENT, ptr(none), 4) !== 0) return undefined;
    const libc: Libc = {
      sendmmsg: (...args) => Number(symbols.sendmmsg(...args)),
      errno: () => read.i32(symbols.__errno_location() as never, 0),
    };
    return new GsoSender(libc, fd, isIpv6, (bytes) => Number(ptr(bytes)));
  } catch {
    return undefined; /* musl, or no FFI in this build */
  }
}
