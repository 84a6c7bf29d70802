/**
 * UDP through `Bun.udpSocket`. Its `sendMany` is one `sendmmsg` a batch (about 2 µs a datagram). It
 * may take only a part: because the send buffer is full, which `drain` ends, or because the next
 * datagram is one the system refuses (an earlier one met a closed port, no route to its address),
 * which only trying again tells apart.
 */
import { Fan, type HotPath } from "../core/hot-path/hot-path.ts";
import type { Train } from "../core/session/train.ts";
import type { Address } from "../wire/address.ts";
import { AddressTable, systemAddress } from "./address-table.ts";
import type { BindOptions } from "./bind-udp.ts";
import { DatagramBatch } from "./datagram-batch.ts";
import { openLibc } from "./linux/libc.ts";
import { HeardAddresses, SOCKADDR } from "./linux/sockaddrs.ts";
import { type LinuxWays, openLinuxWays } from "./linux/ways.ts";
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
  const hasFd = fd !== undefined && fd >= 0;
  if (hasFd) await setSocketBuffers(fd, options);
  const libc = hasFd && options.sendBy !== "many" ? await openLibc() : undefined;
  const linux = libc === undefined ? undefined : openLinuxWays(libc, fd as number, options.host);
  if (options.sendBy === "segments" && linux === undefined) {
    socket.close();
    throw new Error("sending by segments is not possible here (it needs Linux 4.18 and glibc)");
  }
  owner = new BunUdp(socket, linux);
  return owner;
}

/** Where no datagram comes from; never answered. */
const NOWHERE: Address = { family: 4, ip: "0.0.0.0", port: 0 };

class BunUdp implements UdpSocket {
  readonly localAddress: Address;
  readonly counters: UdpCounters = newUdpCounters();
  readonly #socket: BunSocket;
  readonly #sender: PacketSender;
  readonly #linux: LinuxWays | undefined;
  readonly #addresses = new AddressTable();
  readonly #heard = new HeardAddresses(this.#addresses);
  /** Datagrams of trains that have to go another way. */
  readonly #spare = new DatagramBatch();
  #handler: DatagramHandler | undefined;

  constructor(socket: BunSocket, linux: LinuxWays | undefined) {
    this.#socket = socket;
    this.#linux = linux;
    this.localAddress = systemAddress(socket.address.address, socket.port);
    this.#sender = new PacketSender(socket, this.counters);
  }

  get sendsBy(): "segments" | "many" {
    return this.#linux === undefined || this.#linux.calls.isBroken ? "many" : "segments";
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
    if (this.#linux === undefined || !this.takesTrains) return 0;
    const taken = this.#linux.batches.send(batch);
    this.counters.datagramsOut += taken;
    return taken;
  }

  /* ---------------------------------------------------------------- trains */

  get takesTrains(): boolean {
    return this.sendsBy === "segments" && this.#sender.backlog === 0;
  }

  addTrain(train: Readonly<Train>, hot: HotPath): void {
    const trains = this.#linux?.trains;
    if (trains === undefined) return;
    if (trains.isFull) this.flushTrains();
    if (trains.add(train, hot)) return;
    this.flushTrains();
    let { headPtr } = train;
    for (let bits = train.bits; bits !== 0; bits &= bits - 1) {
      const slot = train.cargo.slots[31 - Math.clz32(bits & -bits)] as number;
      this.#addSpare(train.to, headPtr, slot, hot);
      headPtr += Fan.headBytes;
    }
    this.#sendSpare();
  }

  flushTrains(): void {
    const trains = this.#linux?.trains;
    if (trains === undefined || trains.isEmpty || this.#socket.closed) return;
    const hot = trains.hot as HotPath;
    const add = (to: Address, headPtr: number, slot: number): void =>
      this.#addSpare(to, headPtr, slot, hot);
    this.counters.datagramsOut += trains.flush(add);
    this.#sendSpare();
  }

  #addSpare(to: Address, headPtr: number, slot: number, hot: HotPath): void {
    if (this.#spare.isFull) this.#sendSpare();
    const headLength = Fan.headBytes;
    this.#spare.addTransmit({ kind: "transmit", to, headPtr, headLength, slot }, hot);
  }

  #sendSpare(): void {
    if (this.#spare.count === 0) return;
    this.#sender.send(this.#spare);
    this.#spare.clear();
  }

  /* ---------------------------------------------------------------- receiving */

  receiveNow(): boolean {
    const receiver = this.#linux?.receiver;
    if (receiver === undefined || this.#socket.closed) return false;
    const count = receiver.receive();
    for (let i = 0; i < count && this.#handler !== undefined; i++) {
      const from = this.#heard.read(receiver.senders, i * SOCKADDR) ?? NOWHERE;
      this.counters.datagramsIn++;
      this.#handler.handleDatagram(from, receiver.data(i), i < count - 1);
    }
    return count === receiver.capacity;
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
