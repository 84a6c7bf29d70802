/**
 * `recvmmsg`: what has come to a socket, many datagrams a call, into places made once. With `UDP_GRO` set on the socket
 * a place holds a burst of one sender that the kernel has kept together, to be cut apart by the length it tells.
 */
import {
  CMSG,
  IOVEC,
  type Libc,
  MMSGHDR,
  MSG_DONTWAIT,
  putPointer,
  SOL_UDP,
  UDP_GRO,
} from "./libc.ts";
import { SOCKADDR } from "./sockaddrs.ts";

/** Longer than any datagram of the protocol: a longer one shows by MSG_TRUNC and is cut. */
export const PLACE_BYTES = 2048;
/** A burst kept together is at most a datagram's 16 bits long. */
export const BURST_BYTES = 65_536;

const SHORT_BYTES = 96;

export class MessageReceiver {
  /** All places, `placeBytes` each. */
  readonly bytes: Uint8Array;
  /** Their senders, `SOCKADDR` each. */
  readonly senders: Uint8Array;
  readonly placeBytes: number;
  readonly #libc: Pick<Libc, "recvmmsg">;
  readonly #fd: number;
  readonly capacity: number;
  #filled = 0;
  readonly #messages: Uint32Array;
  readonly #controls: Uint32Array;
  readonly #iovecs: Uint32Array;
  readonly #messagesAt: number;
  readonly #views: (Uint8Array | undefined)[];

  constructor(
    libc: Pick<Libc, "recvmmsg" | "addressOf">,
    fd: number,
    capacity: number,
    placeBytes: number,
  ) {
    this.#libc = libc;
    this.#fd = fd;
    this.capacity = capacity;
    this.placeBytes = placeBytes;
    this.bytes = new Uint8Array(capacity * placeBytes);
    this.senders = new Uint8Array(capacity * SOCKADDR);
    this.#messages = new Uint32Array((capacity * MMSGHDR) / 4);
    this.#iovecs = new Uint32Array((capacity * IOVEC) / 4);
    this.#controls = new Uint32Array((capacity * CMSG) / 4);
    this.#views = new Array<Uint8Array | undefined>(capacity * SHORT_BYTES).fill(undefined);
    this.#messagesAt = libc.addressOf(this.#messages);
    const [bytesAt, sendersAt, iovecsAt, controlsAt] = [
      libc.addressOf(this.bytes),
      libc.addressOf(this.senders),
      libc.addressOf(this.#iovecs),
      libc.addressOf(this.#controls),
    ];
    for (let i = 0; i < capacity; i++) {
      putPointer(this.#iovecs, (i * IOVEC) / 4, bytesAt + i * placeBytes);
      this.#iovecs[(i * IOVEC) / 4 + 2] = placeBytes;
      const at = (i * MMSGHDR) / 4;
      putPointer(this.#messages, at, sendersAt + i * SOCKADDR);
      putPointer(this.#messages, at + 4, iovecsAt + i * IOVEC);
      this.#messages[at + 6] = 1;
      putPointer(this.#messages, at + 8, controlsAt + i * CMSG);
      this.#ready(i);
    }
  }

  /** Takes what is there; returns how many places are filled, from the first on. */
  receive(): number {
    for (let i = 0; i < this.#filled; i++) this.#ready(i);
    const got = this.#libc.recvmmsg(this.#fd, this.#messagesAt, this.capacity, MSG_DONTWAIT);
    this.#filled = Math.max(0, got);
    return this.#filled;
  }

  /** The system writes over what it is told of room. */
  #ready(i: number): void {
    const at = (i * MMSGHDR) / 4;
    this.#messages[at + 2] = SOCKADDR;
    this.#messages[at + 10] = CMSG;
  }

  /** Bytes in the i-th place. */
  length(i: number): number {
    return this.#messages[(i * MMSGHDR) / 4 + 14] as number;
  }

  /** What is in the i-th place; its view is kept when it is short, as acknowledgements are. */
  data(i: number): Uint8Array {
    const length = this.length(i);
    const at = i * this.placeBytes;
    if (length >= SHORT_BYTES) return this.bytes.subarray(at, at + length);
    const known = this.#views[i * SHORT_BYTES + length];
    if (known !== undefined) return known;
    const view = this.bytes.subarray(at, at + length);
    this.#views[i * SHORT_BYTES + length] = view;
    return view;
  }

  /** Length of the datagrams in the i-th place, but for the last. */
  segment(i: number): number {
    const at = (i * CMSG) / 4;
    const hasControl = (this.#messages[(i * MMSGHDR) / 4 + 10] as number) > 0;
    const isOne =
      !hasControl || this.#controls[at + 2] !== SOL_UDP || this.#controls[at + 3] !== UDP_GRO;
    return isOne ? this.length(i) : (this.#controls[at + 4] as number);
  }
}
