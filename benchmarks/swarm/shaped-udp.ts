/**
 * A UDP socket behind a home's line, in user space: what the node sends passes its uplink (rate and
 * queue) and the path to the receiver (delay, jitter, loss), what it gets passes its downlink; a
 * router lets in what the kind of NAT lets in. The links are the simulator's. The edge is not
 * shaped itself: what it sends passes the path at the receiver's socket.
 *
 *   node ──up──path──► socket ─ ─ kernel ─ ─► socket ──(path from the edge)──down──NAT──► node
 */
import type { Prng } from "../../runtime/base/prng.ts";
import { DatagramBatch } from "../../runtime/io/datagram-batch.ts";
import { type DatagramHandler, newUdpCounters, type UdpSocket } from "../../runtime/io/udp.ts";
import { Link } from "../../runtime/sim/network/link.ts";
import type { NatKind } from "../../runtime/sim/network/nat.ts";
import type { AccessModel } from "../../runtime/sim/network/presets.ts";
import type { Address } from "../../runtime/wire/address.ts";
import type { Agenda } from "./agenda.ts";
import type { SwarmWorld } from "./world.ts";

/** IPv4 and UDP. */
const HEADERS_BYTES = 28;
/** After its end a socket still counts what the edge sends to it, this long. */
const LINGER_MS = 5000;

/** What the network's eye sees of one host. */
export interface Rim {
  /** The node offers a datagram; IP bytes. */
  offered(data: Uint8Array, bytes: number): void;
  /** The edge offered one to this host. */
  fromEdge(bytes: number): void;
  /** One is handed to the node. */
  handed(from: Address, data: Uint8Array, bytes: number): void;
}

export interface ShapedOptions {
  readonly inner: UdpSocket;
  /** A further socket at the same address: a symmetric router's port for one destination. */
  readonly bindMore: () => Promise<UdpSocket>;
  readonly access: AccessModel;
  readonly nat: NatKind;
  readonly world: SwarmWorld;
  readonly agenda: Agenda;
  readonly random: Prng;
  readonly rim: Rim;
}

interface Outer {
  socket: UdpSocket | undefined;
  readonly batch: DatagramBatch;
  readonly waiting: Uint8Array[];
}

export class ShapedUdp implements UdpSocket {
  readonly localAddress: Address;
  readonly counters = newUdpCounters();
  readonly #options: ShapedOptions;
  readonly #up: Link;
  readonly #down: Link;
  readonly #paths = new Map<string, { link: Link; extraMs: number } | undefined>();
  readonly #writtenTo = new Set<string>();
  readonly #batch = new DatagramBatch();
  /** A symmetric router's ports beside the first, by destination. */
  readonly #outers = new Map<string, Outer>();
  #handler: DatagramHandler | undefined;
  #isClosed = false;
  /** Gone without a word: nothing passes any more. */
  isMute = false;

  constructor(options: ShapedOptions) {
    this.#options = options;
    this.localAddress = options.inner.localAddress;
    this.#up = new Link(options.access.up);
    this.#down = new Link(options.access.down);
    this.#listen(options.inner, undefined);
  }

  get sendsBy(): UdpSocket["sendsBy"] {
    return this.#options.inner.sendsBy;
  }

  send(batch: DatagramBatch): void {
    const { agenda, random, rim } = this.#options;
    const now = agenda.now();
    for (let i = 0; i < batch.count && !this.isMute; i++) {
      const data = batch.data(i).slice();
      const to = batch.to(i);
      const bytes = data.length + HEADERS_BYTES;
      rim.offered(data, bytes);
      this.counters.datagramsOut++;
      const left = this.#up.transit(now, bytes, random);
      if (left < 0) continue;
      const at = this.#along(this.#path(this.localAddress.ip, to.ip), left, bytes);
      if (at >= 0) agenda.at(at, () => this.#emit(to, data));
    }
    batch.clear();
  }

  onDatagrams(handler: DatagramHandler): void {
    this.#handler = handler;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.agenda.at(this.#options.agenda.now() + LINGER_MS, () => this.destroy());
  }

  /** Closes the sockets at once. */
  destroy(): void {
    this.#options.inner.close();
    for (const { socket } of this.#outers.values()) socket?.close();
    this.#outers.clear();
  }

  /** What is due has been handed over: sends it. */
  flush(): void {
    if (this.#batch.count > 0) this.#options.inner.send(this.#batch);
    for (const { batch, socket } of this.#outers.values()) {
      if (batch.count > 0) socket?.send(batch);
    }
  }

  #emit(to: Address, data: Uint8Array): void {
    const { nat, world } = this.#options;
    this.#writtenTo.add(nat === "restricted" ? to.ip : keyOf(to));
    const outer = nat === "symmetric" && to.ip !== world.edgeIp ? this.#outer(to) : undefined;
    if (outer === undefined) this.#add(this.#batch, this.#options.inner, to, data);
    else if (outer.socket === undefined) outer.waiting.push(data);
    else this.#add(outer.batch, outer.socket, to, data);
  }

  #add(batch: DatagramBatch, socket: UdpSocket, to: Address, data: Uint8Array): void {
    if (batch.isFull) socket.send(batch);
    batch.add(to, data);
  }

  #outer(to: Address): Outer {
    const known = this.#outers.get(keyOf(to));
    if (known !== undefined) return known;
    const outer: Outer = { socket: undefined, batch: new DatagramBatch(8), waiting: [] };
    this.#outers.set(keyOf(to), outer);
    void this.#options.bindMore().then((socket) => {
      if (!this.#outers.has(keyOf(to))) return socket.close();
      outer.socket = socket;
      this.#listen(socket, to);
      for (const data of outer.waiting.splice(0)) this.#add(outer.batch, socket, to, data);
      socket.send(outer.batch);
    });
    return outer;
  }

  #listen(socket: UdpSocket, only: Address | undefined): void {
    socket.onDatagrams({
      handleDatagram: (from, data) => this.#handleArrival(from, data, only),
      handleError: (error) => this.#handler?.handleError(error),
    });
  }

  #handleArrival(from: Address, data: Uint8Array, only: Address | undefined): void {
    const { agenda, world, rim } = this.#options;
    const bytes = data.length + HEADERS_BYTES;
    const now = agenda.now();
    if (from.ip !== world.edgeIp) return this.#descend(now, from, data, bytes, only);
    rim.fromEdge(bytes);
    const at = this.#along(this.#path(from.ip, this.localAddress.ip), now, bytes);
    if (at >= 0) agenda.at(at, () => this.#descend(at, from, data, bytes, only));
  }

  #descend(
    now: number,
    from: Address,
    data: Uint8Array,
    bytes: number,
    only: Address | undefined,
  ): void {
    const at = this.#down.transit(now, bytes, this.#options.random);
    if (at < 0) return;
    this.#options.agenda.at(at, () => {
      if (this.#isClosed || this.isMute || !this.#admits(from, only)) return;
      this.counters.datagramsIn++;
      this.#options.rim.handed(from, data, bytes);
      this.#handler?.handleDatagram(from, data);
    });
  }

  #admits(from: Address, only: Address | undefined): boolean {
    if (only !== undefined) return keyOf(only) === keyOf(from);
    switch (this.#options.nat) {
      case "open":
      case "fullCone":
        return true;
      case "restricted":
        return this.#writtenTo.has(from.ip);
      case "portRestricted":
        return this.#writtenTo.has(keyOf(from));
      case "symmetric":
        return from.ip === this.#options.world.edgeIp;
    }
  }

  /** When a packet that enters the path at `now` comes out, or −1. */
  #along(path: { link: Link; extraMs: number } | undefined, now: number, bytes: number): number {
    if (path === undefined) return now;
    const at = path.link.transit(now, bytes, this.#options.random);
    return at < 0 ? -1 : at + path.extraMs;
  }

  #path(fromIp: string, toIp: string): { link: Link; extraMs: number } | undefined {
    const key = `${fromIp} ${toIp}`;
    if (!this.#paths.has(key)) {
      const path = this.#options.world.path(fromIp, toIp);
      this.#paths.set(key, path && { link: new Link(path.model), extraMs: path.extraMs });
    }
    return this.#paths.get(key);
  }
}

function keyOf({ ip, port }: Address): string {
  return `${ip}:${port}`;
}
