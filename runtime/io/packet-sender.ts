/**
 * Puts batches through a `sendMany` that may take only the first few of what it is given, and keeps
 * the rest in order: bounded, oldest first, newest dropped. Apart from the socket so that a full
 * send buffer, which a loopback never shows, can be tested.
 */
import type { Address } from "../wire/address.ts";
import type { DatagramBatch } from "./datagram-batch.ts";
import { BACKLOG_DATAGRAMS_MAX, isNewsOfEarlier, type UdpCounters } from "./udp.ts";

/** The sending side of Bun's unconnected UDP socket. */
export interface ManySender {
  /**
   * Packets as data, port, address, data, … Returns how many were taken; may throw for the first.
   */
  sendMany(packets: readonly (Uint8Array | number | string)[]): number;
  /** False when the send buffer is full; throws what the system says. */
  send(data: Uint8Array, port: number, ip: string): boolean;
}

interface Kept {
  readonly to: Address;
  readonly data: Uint8Array;
}

export class PacketSender {
  readonly #socket: ManySender;
  readonly #counters: UdpCounters;
  #packets: (Uint8Array | number | string)[] = [];
  #backlog: Kept[] = [];

  constructor(socket: ManySender, counters: UdpCounters) {
    this.#socket = socket;
    this.#counters = counters;
  }

  get backlog(): number {
    return this.#backlog.length;
  }

  /** Sends the batch's datagrams from the `from`-th on. */
  send(batch: DatagramBatch, from = 0): void {
    let sent = from;
    if (this.#backlog.length === 0) {
      const packets = this.#packets;
      packets.length = 0;
      for (let i = from; i < batch.count; i++) {
        const to = batch.to(i);
        packets.push(batch.data(i), to.port, to.ip);
      }
      sent += this.#sendAll(packets);
    }
    for (let i = sent; i < batch.count; i++) this.#keep(batch.to(i), batch.data(i));
  }

  /** The system has room again. */
  handleDrain(): void {
    const packets: (Uint8Array | number | string)[] = [];
    for (const { data, to } of this.#backlog) packets.push(data, to.port, to.ip);
    const sent = this.#sendAll(packets);
    this.#backlog = this.#backlog.slice(sent);
  }

  /**
   * Sends or counts as refused from the first on; returns how many are dealt with before the buffer
   * was full.
   */
  #sendAll(packets: (Uint8Array | number | string)[]): number {
    const total = packets.length / 3;
    let done = this.#sendSome(packets);
    while (done < total) {
      const i = done * 3;
      const [data, port, ip] = packets.slice(i, i + 3) as [Uint8Array, number, string];
      if (this.#sendOne(data, port, ip) === "full") return done;
      done++;
      if (done < total) done += this.#sendSome(packets.slice(done * 3));
    }
    return done;
  }

  /**
   * How many the system took at once; 0 also when it would not hear of the first, which `#sendOne`
   * finds out.
   */
  #sendSome(packets: readonly (Uint8Array | number | string)[]): number {
    if (packets.length === 0) return 0;
    try {
      const taken = this.#socket.sendMany(packets);
      this.#counters.datagramsOut += taken;
      return taken;
    } catch {
      return 0;
    }
  }

  #sendOne(data: Uint8Array, port: number, ip: string): "done" | "full" {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        if (!this.#socket.send(data, port, ip)) return "full";
        this.#counters.datagramsOut++;
        return "done";
      } catch (error) {
        if (!isNewsOfEarlier(error)) break;
      }
    }
    this.#counters.datagramsRefused++;
    return "done";
  }

  #keep(to: Address, data: Uint8Array): void {
    if (this.#backlog.length < BACKLOG_DATAGRAMS_MAX)
      this.#backlog.push({ to, data: data.slice() });
    else this.#counters.datagramsDropped++;
  }
}
