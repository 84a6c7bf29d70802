/**
 * The virtual network: hosts with addresses, each with an access link up and one down, and paths
 * between their regions. It owns no time of its own: `send` and `handleEvent` file what comes next
 * in the world's event queue. A packet is a few numbers in typed arrays from the sender's transmit
 * to the receiver's datagram.
 *
 *   sender ──NAT──up──► path(region, region) ──► arrival ──down──NAT──► delivery
 *
 * Links count IP bytes: the datagram and its IP and UDP headers.
 */
import { assert } from "../../base/assert.ts";
import type { Prng } from "../../base/prng.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import type { Transmit } from "../../core/session/outbox.ts";
import { type Address, addressKey } from "../../wire/address.ts";
import { HEAD_BYTES, PacketType } from "../../wire/packet.ts";
import { ControlBytes } from "./control-bytes.ts";
import { damage } from "./damage.ts";
import { HostRole, ROLES } from "./host-role.ts";
import { Link, type LinkModel } from "./link.ts";
import { Nat, type NatKind } from "./nat.ts";
import { PACKET_BYTES_MAX, PacketPool } from "./packet-pool.ts";
import { Paths, pairShare } from "./paths.ts";
import { AddressBook, NOBODY, type SimAddress } from "./sim-address.ts";

/** Kinds of event that belong to the network; the argument is a packet. */
export const NetworkEvent = { arrival: 1, delivery: 2 } as const;

const HEADERS_BYTES_V4 = 28;
const HEADERS_BYTES_V6 = 48;
/** A doubled packet's second copy comes up to this much later. */
const DUPLICATE_MS_MAX = 5;
const FLAGS_AT = HEAD_BYTES - 1;
const TRACE_PRIME = 0x01000193;

export const PHASES = 4;

export interface HostSpec {
  /** Its own; behind a NAT nobody else can use it. */
  readonly address: Address;
  readonly up: LinkModel;
  readonly down: LinkModel;
  /** Index of the region whose paths apply; 0 when there is only one. */
  readonly region: number;
  /** Where the host's node keeps its payloads. */
  readonly hot: HotPath;
  readonly role: HostRole;
  /** `open` when left out; others need the router's outer IP. */
  readonly nat?: { readonly kind: NatKind; readonly outerIp: string };
}

export interface Host {
  readonly id: number;
  /** As others see it when there is no NAT. */
  readonly address: SimAddress;
  readonly up: Link;
  readonly down: Link;
  readonly region: number;
  readonly hot: HotPath;
  readonly role: HostRole;
  readonly nat: Nat | undefined;
  /** IP and UDP headers of a packet it sends or gets. */
  readonly headersBytes: number;
  /**
   * IP bytes offered by the node and handed to it, and those of them in packets that carry no
   * media.
   */
  bytesOut: number;
  controlBytesOut: number;
  bytesIn: number;
  controlBytesIn: number;
  packetsIn: number;
  /** Whether anybody listens at the address; else packets vanish on arrival. */
  isListening: boolean;
}

/** Where the network files what comes next; it all happens at `host`. */
export interface Agenda {
  push(time: number, kind: number, argument: number, host: number): void;
}

export interface NetworkOptions {
  readonly queue: Agenda;
  readonly random: Prng;
  /** A datagram reaches a host. `data` and `slot` are valid during the call. */
  readonly deliver: (
    now: number,
    host: number,
    from: Address,
    data: Uint8Array,
    slot: number,
  ) => void;
  /** A datagram with media is about to be handed to a peer. */
  readonly onMedia: (now: number, from: number, to: number, data: Uint8Array) => void;
  /** Keeps `traceHash` over every delivery: costs about 0.1 µs a packet. */
  readonly isTraced: boolean;
}

export class Network {
  readonly hosts: Host[] = [];
  /**
   * Packets to addresses nobody has, to hosts that do not listen, and those a NAT did not let in.
   */
  packetsUnroutable = 0;
  packetsUnheard = 0;
  packetsFiltered = 0;
  /** IP bytes offered, by role of sender × 3 + role of receiver, lost ones included. */
  readonly bytesByRoles = new Float64Array(ROLES * ROLES);
  /**
   * IP bytes of media handed to peers, by role of the sender × 4 + phase (docs/WIRE.md, fragment
   * header).
   */
  readonly mediaBytesToPeers = new Float64Array(ROLES * PHASES);
  readonly controlBytes = new ControlBytes();
  readonly #options: NetworkOptions;
  readonly #pool = new PacketPool();
  readonly #book = new AddressBook();
  readonly #paths = new Paths();
  readonly #scratch = new Uint8Array(PACKET_BYTES_MAX);
  readonly #views: Uint8Array[] = [];
  #trace = 0x811c9dc5;

  constructor(options: NetworkOptions) {
    this.#options = options;
    for (let i = 0; i <= PACKET_BYTES_MAX; i++) this.#views.push(this.#scratch.subarray(0, i));
  }

  /** A digest of every delivery so far: time, ends, bytes. */
  get traceHash(): number {
    return this.#trace >>> 0;
  }

  get packetsInFlight(): number {
    return this.#pool.size;
  }

  addHost(spec: HostSpec): Host {
    const { address, region, hot, role, nat } = spec;
    assert(this.#book.find(address) === undefined, `network: ${addressKey(address)} is taken`);
    const id = this.hosts.length;
    const isOpen = nat === undefined || nat.kind === "open";
    const host: Host = {
      id,
      address: this.#book.add(address, isOpen ? id : NOBODY),
      up: new Link(spec.up),
      down: new Link(spec.down),
      region,
      hot,
      role,
      headersBytes: address.family === 4 ? HEADERS_BYTES_V4 : HEADERS_BYTES_V6,
      nat: isOpen ? undefined : new Nat(nat.kind, this.#book, id, nat.outerIp),
      bytesOut: 0,
      controlBytesOut: 0,
      bytesIn: 0,
      controlBytesIn: 0,
      packetsIn: 0,
      isListening: false,
    };
    this.hosts.push(host);
    return host;
  }

  /**
   * How packets go from one region to another (or within one); without it the path is ideal. One
   * direction.
   */
  setPath(from: number, to: number, model: LinkModel, spreadMs = 0): Link {
    return this.#paths.set(from, to, model, spreadMs);
  }

  /** The path from one region to another, if it was set. */
  path(from: number, to: number): Link | undefined {
    return this.#paths.get(from, to)?.link;
  }

  /**
   * No host hears of another's doings sooner than after this, ms. 0 where regions with hosts have
   * no path: those are ideal.
   */
  leastDelayMs(): number {
    return this.#paths.leastDelayMs(new Set(this.hosts.map(({ region }) => region)));
  }

  /**
   * A node's transmit leaves its host, and takes `extraMs` longer than its links do. The transmit
   * may be reused when this returns.
   */
  send(now: number, source: Host, transmit: Transmit, extraMs = 0): void {
    const { hot } = source;
    const tail = transmit.slot === 0 ? 0 : hot.payloadLength(transmit.slot);
    const length = transmit.headLength + tail;
    const bytes = length + source.headersBytes;
    const random = this.#options.random;
    const to = this.#book.find(transmit.to);
    const target = to === undefined ? undefined : this.hosts[to.host];
    source.bytesOut += bytes;
    const type = hot.bytes[transmit.headPtr] as number;
    if (!isMedia(type)) {
      source.controlBytesOut += bytes;
      if (source.role === HostRole.peer) this.#countControl(type, target, bytes);
    }
    if (target !== undefined) this.#count(source.role, target.role, bytes);
    let at = source.up.transit(now, bytes, random);
    if (at < 0) return;
    if (to === undefined || target === undefined) {
      this.packetsUnroutable++;
      return;
    }
    const from = source.nat === undefined ? source.address : source.nat.outbound(now, to);
    at += extraMs;
    let copies = source.up.isDuplicated(random) ? 2 : 1;
    let isDamaged = source.up.isCorrupted(random);
    const path = this.#paths.get(source.region, target.region);
    if (path !== undefined) {
      at = path.link.transit(at, bytes, random);
      if (at < 0) return;
      if (path.spreadMs > 0) at += path.spreadMs * pairShare(source.id, target.id);
      if (path.link.isDuplicated(random)) copies++;
      if (path.link.isCorrupted(random)) isDamaged = true;
    }
    const packet = this.#gather(source, target, from.index, to.index, transmit, length);
    for (let i = 1; i < copies; i++) {
      this.#fileArrival(at + random.next() * DUPLICATE_MS_MAX, this.#pool.copy(packet));
    }
    this.#fileArrival(at, isDamaged ? this.#damaged(packet) : packet);
  }

  /**
   * A datagram from anywhere, true or forged, reaches the network's side of a host's access link.
   */
  inject(now: number, from: Address, target: Host, data: Uint8Array): void {
    const source = this.#book.find(from) ?? this.#book.add(from, NOBODY);
    const packet = this.#pool.allocate(source.index, target.address.index, target.id, data.length);
    this.#pool.write(packet, 0, data, 0, data.length);
    this.#fileArrival(now, packet);
  }

  /** To be called by the world when an event of a `NetworkEvent` kind is due. */
  handleEvent(now: number, kind: number, packet: number): void {
    if (kind === NetworkEvent.arrival) this.#handleArrival(now, packet);
    else this.#handleDelivery(now, packet);
  }

  /**
   * Lays the transmit's bytes into a packet: the body by its slot where both ends share the memory.
   */
  #gather(
    source: Host,
    target: Host,
    from: number,
    to: number,
    transmit: Transmit,
    length: number,
  ): number {
    const { hot } = source;
    const { headPtr, headLength, slot } = transmit;
    const isShared = slot !== 0 && hot === target.hot;
    const packet = this.#pool.allocate(from, to, target.id, isShared ? headLength : length);
    this.#pool.write(packet, 0, hot.bytes, headPtr, headLength);
    if (isShared) this.#pool.holdSlot(packet, hot, slot);
    else if (slot !== 0) {
      this.#pool.write(packet, headLength, hot.bytes, hot.payloadPtr(slot), length - headLength);
    }
    return packet;
  }

  #fileArrival(at: number, packet: number): void {
    this.#options.queue.push(at, NetworkEvent.arrival, packet, this.#pool.host(packet));
  }

  #handleArrival(now: number, packet: number): void {
    const random = this.#options.random;
    const target = this.hosts[this.#pool.host(packet)] as Host;
    const { down } = target;
    const out = down.transit(now, this.#ipBytes(packet, target), random);
    if (out < 0) {
      this.#pool.free(packet);
      return;
    }
    const { queue } = this.#options;
    if (down.isDuplicated(random)) {
      queue.push(
        out + random.next() * DUPLICATE_MS_MAX,
        NetworkEvent.delivery,
        this.#pool.copy(packet),
        target.id,
      );
    }
    const last = down.isCorrupted(random) ? this.#damaged(packet) : packet;
    if (out > now) queue.push(out, NetworkEvent.delivery, last, target.id);
    else this.#handleDelivery(now, last);
  }

  #handleDelivery(now: number, packet: number): void {
    const pool = this.#pool;
    const target = this.hosts[pool.host(packet)] as Host;
    if (!target.isListening) this.packetsUnheard++;
    else if (!this.#isAdmitted(now, packet, target)) this.packetsFiltered++;
    else {
      const slot = pool.slot(packet);
      const from = this.#book.at(pool.source(packet));
      const data = this.#views[pool.length(packet)] as Uint8Array;
      pool.read(packet, this.#scratch);
      const bytes = this.#ipBytes(packet, target);
      target.packetsIn++;
      target.bytesIn += bytes;
      if (!isMedia(data[0] as number)) {
        target.controlBytesIn += bytes;
        if (target.role === HostRole.peer) {
          this.#countControl(data[0] as number, this.hosts[from.host], bytes);
        }
      } else if (target.role === HostRole.peer) {
        this.#countPhase(from, data, bytes);
        this.#options.onMedia(now, from.host, target.id, data);
      }
      if (this.#options.isTraced) this.#note(now, packet, data);
      this.#options.deliver(now, target.id, from, data, slot);
    }
    pool.free(packet);
  }

  #isAdmitted(now: number, packet: number, { nat }: Host): boolean {
    if (nat === undefined) return true;
    const from = this.#book.at(this.#pool.source(packet));
    return nat.admits(now, this.#book.at(this.#pool.target(packet)), from);
  }

  #ipBytes(packet: number, target: Host): number {
    return this.#pool.length(packet) + this.#pool.tailLength(packet) + target.headersBytes;
  }

  /** The same packet with flipped bits or without its end; its slot's bytes become its own. */
  #damaged(packet: number): number {
    const pool = this.#pool;
    const target = this.hosts[pool.host(packet)] as Host;
    const slot = pool.slot(packet);
    const headLength = pool.length(packet);
    const tail = slot === 0 ? 0 : target.hot.payloadLength(slot);
    const whole = new Uint8Array(headLength + tail);
    pool.read(packet, whole);
    if (slot !== 0) {
      const ptr = target.hot.payloadPtr(slot);
      whole.set(target.hot.bytes.subarray(ptr, ptr + tail), headLength);
    }
    const bytes = damage(whole, this.#options.random);
    const result = pool.allocate(pool.source(packet), pool.target(packet), target.id, bytes.length);
    pool.write(result, 0, bytes, 0, bytes.length);
    pool.free(packet);
    return result;
  }

  #count(from: HostRole, to: HostRole, bytes: number): void {
    const i = from * ROLES + to;
    this.bytesByRoles[i] = (this.bytesByRoles[i] as number) + bytes;
  }

  /** At a peer; who cannot be told, an address that nobody has, is taken for another peer. */
  #countControl(type: number, other: Host | undefined, bytes: number): void {
    this.controlBytes.count(type, other?.role ?? HostRole.peer, bytes);
  }

  /** By the flags of the first fragment, at the same place in DATA and BUNDLE. */
  #countPhase(from: SimAddress, data: Uint8Array, bytes: number): void {
    const role = this.hosts[from.host]?.role;
    if (role === undefined) return;
    const i = role * PHASES + (((data[FLAGS_AT] ?? 0) >> 5) & 3);
    this.mediaBytesToPeers[i] = (this.mediaBytesToPeers[i] as number) + bytes;
  }

  #note(now: number, packet: number, data: Uint8Array): void {
    let hash = this.#trace;
    const mix = (word: number): void => {
      hash = Math.imul(hash ^ word, TRACE_PRIME);
      hash ^= hash >>> 15;
    };
    mix(Math.floor(now * 1024) | 0);
    mix(this.#pool.source(packet));
    mix(this.#pool.host(packet));
    for (const byte of data) mix(byte);
    this.#trace = hash;
  }
}

function isMedia(type: number): boolean {
  return type === PacketType.DATA || type === PacketType.BUNDLE;
}
