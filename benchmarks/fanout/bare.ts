/**
 * What the system calls alone can do: the messages of one turn laid out once, as the edge's are (each to a receiver of
 * its own, with heads of its own, payloads shared), and sent again and again by `sendmmsg` with UDP_SEGMENT.
 */
import {
  CMSG,
  CMSG_LEN,
  IOVEC,
  type Libc,
  MMSGHDR,
  putPointer,
  SOL_UDP,
  UDP_SEGMENT,
} from "../../runtime/io/linux/libc.ts";
import { MessageCalls } from "../../runtime/io/linux/message-calls.ts";
import { Sockaddrs } from "../../runtime/io/linux/sockaddrs.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { HEAD_BYTES, MAX_DATAGRAM } from "../../runtime/wire/packet.ts";

export const BODY_BYTES = 1152;

export class BareTurn {
  /** Datagrams and bytes of media of one turn. */
  readonly datagrams: number;
  readonly mediaBytes: number;
  readonly #calls: MessageCalls;
  readonly #messages: Uint32Array;
  readonly #at: number;
  /** What the messages point at. */
  readonly #kept: unknown[];

  constructor(
    libc: Libc,
    fd: number,
    receivers: number,
    frameBytes: number,
    addresses: readonly Address[],
  ) {
    const fragments = Math.ceil(frameBytes / BODY_BYTES);
    const sockaddrs = new Sockaddrs(libc, false);
    const heads = new Uint8Array(receivers * fragments * HEAD_BYTES);
    const payload = new Uint8Array(fragments * MAX_DATAGRAM);
    const iovecs = new Uint32Array((2 * receivers * fragments * IOVEC) / 4);
    const controls = new Uint32Array((receivers * CMSG) / 4);
    this.#messages = new Uint32Array((receivers * MMSGHDR) / 4);
    this.#kept = [sockaddrs, heads, payload, iovecs, controls];
    const [headsAt, payloadAt] = [libc.addressOf(heads), libc.addressOf(payload)];
    const [iovecsAt, controlsAt] = [libc.addressOf(iovecs), libc.addressOf(controls)];
    for (let i = 0; i < receivers; i++) {
      for (let k = 0; k < fragments; k++) {
        const n = i * fragments + k;
        const at = (2 * n * IOVEC) / 4;
        putPointer(iovecs, at, headsAt + n * HEAD_BYTES);
        iovecs[at + 2] = HEAD_BYTES;
        putPointer(iovecs, at + 4, payloadAt + k * MAX_DATAGRAM);
        iovecs[at + 6] = Math.min(BODY_BYTES, frameBytes - k * BODY_BYTES);
      }
      const at = (i * MMSGHDR) / 4;
      const to = addresses[i % addresses.length] as Address;
      putPointer(this.#messages, at, sockaddrs.pointerTo(to));
      this.#messages[at + 2] = sockaddrs.length;
      putPointer(this.#messages, at + 4, iovecsAt + 2 * i * fragments * IOVEC);
      this.#messages[at + 6] = 2 * fragments;
      putPointer(this.#messages, at + 8, controlsAt + i * CMSG);
      this.#messages[at + 10] = CMSG;
      controls.set([CMSG_LEN, 0, SOL_UDP, UDP_SEGMENT], (i * CMSG) / 4);
      controls[(i * CMSG) / 4 + 4] = HEAD_BYTES + Math.min(BODY_BYTES, frameBytes);
    }
    this.#at = libc.addressOf(this.#messages);
    this.#calls = new MessageCalls(libc, fd);
    this.datagrams = receivers * fragments;
    this.mediaBytes = receivers * frameBytes;
  }

  /** Share of the turn that the system took. */
  send(): number {
    const count = (this.#messages.length * 4) / MMSGHDR;
    return this.#kept.length === 0 ? 0 : this.#calls.send(this.#at, count) / count;
  }
}

/** A socket to send from, and its descriptor. */
export async function bareSocket(): Promise<{ fd: number; close: () => void }> {
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
  return { fd: (socket as unknown as { fd: number }).fd, close: () => socket.close() };
}
