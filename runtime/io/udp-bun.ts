/**
 * UDP through `Bun.udpSocket`. Its `sendMany` is one `sendmmsg` a batch (about 2 µs a datagram). It
 * may take only a part: because the send buffer is full, which `drain` ends, or because the next
 * datagram is one the system refuses (an earlier one met a closed port, no route to its address),
 * which only trying again tells apart.
 */
import type { Address } from "../wire/address.ts";
import { AddressTable, systemAddress } from "./address-table.ts";
import type { BindOptions } from "./bind-udp.ts";
import type { DatagramBatch } from "./datagram-batch.ts";
import { PacketSender } from "./packet-sender.ts";
import { setSocketBuffers } from "./socket-buffers.ts";
import {
  type DatagramHandler,
  isNewsOfEarlier,
  newUdpCounters,
  type UdpCounters,
  type UdpSocket,
} from "./udp.ts";
import { createGsoSender, type GsoSender } from "./udp-linux-gso.ts";

type BunSocket = Bun.udp.Socket<"uint8array">;

/** Rejects with the system's error (address in use, not available here, no permission). */
export async function bindBunUdp(options: BindOptions): Promise<UdpSocket> {
  let owner: BunUdp | undefined;
  const socket = await Bun.udpSocket({
    hostname: options.host,
    port: options.port,
    binaryType: "uint8array",
    socket: {
      data: (_, data, port, ip) => owner?.handleData(data, ip, port),
      drain: () => owner?.handleDrain(),
      /* Typed as (socket, error), called as (error). */
      error: (...news: unknown[]) => owner?.handleError(news),
    },
  });
  const { fd } = socket as BunSocket & { readonly fd?: number };
  const hasFd = fd !== undefined && fd >= 0;
  if (hasFd) await setSocketBuffers(fd, options);
  const isIpv6 = options.host.includes(":");
  const wantsSegments = hasFd && options.sendBy !== "many";
  const segments = wantsSegments ? await createGsoSender(fd, isIpv6) : undefined;
  if (options.sendBy === "segments" && segments === undefined) {
    socket.close();
    throw new Error("sending by segments is not possible here (it needs Linux 4.18 and glibc)");
  }
  owner = new BunUdp(socket, segments);
  return owner;
}

class BunUdp implements UdpSocket {
  readonly localAddress: Address;
  readonly counters: UdpCounters = newUdpCounters();
  readonly #socket: BunSocket;
  readonly #sender: PacketSender;
  readonly #segments: GsoSender | undefined;
  readonly #addresses = new AddressTable();
  #handler: DatagramHandler | undefined;

  constructor(socket: BunSocket, segments: GsoSender | undefined) {
    this.#socket = socket;
    this.#segments = segments;
    this.localAddress = systemAddress(socket.address.address, socket.port);
    this.#sender = new PacketSender(socket, this.counters);
  }

  get sendsBy(): "segments" | "many" {
    return this.#segments === undefined || this.#segments.isBroken ? "many" : "segments";
  }

  send(batch: DatagramBatch): void {
    if (!this.#socket.closed) {
      const taken = this.#sendSegments(batch);
      if (taken < batch.count) this.#sender.send(batch, taken);
    }
    batch.clear();
  }

  /** How many datagrams went the short way: none while older ones wait. */
  #sendSegments(batch: DatagramBatch): number {
    if (this.#segments === undefined || this.sendsBy === "many" || this.#sender.backlog > 0)
      return 0;
    const taken = this.#segments.send(batch);
    this.counters.datagramsOut += taken;
    return taken;
  }

  onDatagrams(handler: DatagramHandler): void {
    this.#handler = handler;
  }

  close(): void {
    this.#handler = undefined;
    if (!this.#socket.closed) this.#socket.close();
  }

  handleData(data: Uint8Array, ip: string, port: number): void {
    this.counters.datagramsIn++;
    this.#handler?.handleDatagram(this.#addresses.intern(ip, port), data);
  }

  handleDrain(): void {
    if (!this.#socket.closed) this.#sender.handleDrain();
  }

  handleError(news: readonly unknown[]): void {
    const error = news.find((one) => one instanceof Error);
    if (error === undefined || isNewsOfEarlier(error)) return;
    this.#handler?.handleError(error);
  }
}
