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
  if (fd !== undefined && fd >= 0) await setSocketBuffers(fd, options);
  owner = new BunUdp(socket);
  return owner;
}

class BunUdp implements UdpSocket {
  readonly localAddress: Address;
  readonly counters: UdpCounters = newUdpCounters();
  readonly #socket: BunSocket;
  readonly #sender: PacketSender;
  readonly #addresses = new AddressTable();
  #handler: DatagramHandler | undefined;

  constructor(socket: BunSocket) {
    this.#socket = socket;
    this.localAddress = systemAddress(socket.address.address, socket.port);
    this.#sender = new PacketSender(socket, this.counters);
  }

  send(batch: DatagramBatch): void {
    if (!this.#socket.closed) this.#sender.send(batch);
    batch.clear();
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
