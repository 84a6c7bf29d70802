/**
 * What all sessions of one node share: the hot path, the outbox, the Uplink, the table of connection ids, the timers. A
 * role hands every datagram of an established session to `handleDatagram`, calls `finish` at the end of each mutation,
 * and keeps handshakes (acceptor.ts, connector.ts) and meaning to itself.
 */
import { assert } from "../../base/assert.ts";
import { ProtocolViolation } from "../../base/errors.ts";
import type { Random } from "../../base/prng.ts";
import { type Ms, ms } from "../../base/time.ts";
import type { Address } from "../../wire/address.ts";
import { CloseCode } from "../../wire/close-code.ts";
import { cidHi, cidLo, isConnected } from "../../wire/packet.ts";
import { type HotPath, Settled } from "../hot-path/hot-path.ts";
import type { Uplink } from "../sending/uplink.ts";
import { TimerHeap } from "../time/timer-heap.ts";
import type { Outbox } from "./outbox.ts";
import {
  type AckProfile,
  PacketKind,
  Session,
  type SessionHost,
  type SessionIds,
} from "./session.ts";
import { receivePacket } from "./session-receive.ts";

/** Timeouts handled in one call; the rest follow at once, after the driver has sent what there is. */
const TIMEOUTS_PER_CALL = 4096;

export class NodeContext {
  readonly hot: HotPath;
  readonly random: Random;
  readonly outbox: Outbox<unknown>;
  readonly uplink: Uplink;
  /** Which of the node's lines its sessions use. */
  readonly line: number;
  readonly timers = new TimerHeap<Session>();
  readonly #sessions = new Map<number, Session>();
  readonly #dirty: Session[] = [];
  readonly #sample = { bytesAcked: 0, bytesLost: 0, rttMs: 0, oneWayMs: 0, receiverMs: 0 };
  #settled = new Int32Array(1024);
  /** Datagrams that were garbage, of no session, or against the protocol. */
  datagramsRefused = 0;

  constructor(hot: HotPath, random: Random, outbox: Outbox<unknown>, uplink: Uplink, line = 0) {
    this.hot = hot;
    this.random = random;
    this.outbox = outbox;
    this.uplink = uplink;
    this.line = line;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  sessions(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /** Queues a small packet that belongs to no session. */
  send(to: Address, packet: Uint8Array): void {
    this.outbox.send(to, packet, this.line);
  }

  /** A connection id whose low half no session of this node has: [high, low]. */
  newConnectionId(): readonly [number, number] {
    for (;;) {
      const low = this.random.uint32();
      if (!this.#sessions.has(low)) return [this.random.uint32(), low];
    }
  }

  /** A new session under `ids`; undefined when memory has no room for one. */
  open(
    now: Ms,
    host: SessionHost,
    ids: SessionIds,
    address: Address,
    ack: AckProfile,
  ): Session | undefined {
    assert(!this.#sessions.has(ids.localLo), "connection id taken");
    const handle = this.hot.sessionOpen();
    if (handle <= 0) return undefined;
    const session = new Session(this, handle, host, ids, address, now, ack);
    this.#sessions.set(ids.localLo, session);
    this.touch(session);
    return session;
  }

  /** Ends a session's life here, without a word to anybody. */
  forget(session: Session): void {
    if (!session.isOpen) return;
    this.#sessions.delete(session.localLo);
    this.timers.remove(session);
    session.release();
  }

  /** Marks a session whose timers may have changed. */
  touch(session: Session): void {
    if (session.isDirty) return;
    session.isDirty = true;
    this.#dirty.push(session);
  }

  /** Something is due for the session at `at`, maybe before all else; to be called without a change of the rest. */
  dueBy(session: Session, at: Ms): void {
    if (session.heapIndex < 0 || at < session.heapDeadline) this.timers.set(session, at);
  }

  /** Takes a datagram of type 0x10 or above. */
  handleDatagram(now: Ms, from: Address, data: Uint8Array, slot: number): void {
    const session = isConnected(data) ? this.#find(data) : undefined;
    if (session === undefined) {
      this.datagramsRefused++;
      return;
    }
    try {
      if (!receivePacket(this, now, session, from, data, slot)) this.datagramsRefused++;
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.datagramsRefused++;
      session.fail(now, CloseCode.protocolViolation, error.message);
    }
    if (session.isOpen) {
      session.flush(now);
      this.touch(session);
    }
  }

  #find(data: Uint8Array): Session | undefined {
    const session = this.#sessions.get(cidLo(data));
    return session !== undefined && session.localHi === cidHi(data) ? session : undefined;
  }

  /** Runs every session's due timers. */
  handleTimeouts(now: Ms): void {
    for (let i = 0; i < TIMEOUTS_PER_CALL; i++) {
      const session = this.timers.due(now);
      if (session === undefined) return;
      session.handleTimeout(now);
      if (session.isOpen) this.timers.set(session, ms(Math.max(session.nextTimeout(), now + 0.01)));
    }
  }

  /** Lets the Uplink send, then files the timers anew: the last act of every mutation. */
  finish(now: Ms): void {
    this.uplink.poll(now);
    for (const session of this.#dirty) {
      session.isDirty = false;
      if (session.isOpen) this.timers.set(session, session.nextTimeout());
    }
    this.#dirty.length = 0;
  }

  nextTimeout(): Ms {
    return ms(Math.min(this.timers.next(), this.uplink.pollTimeout()));
  }

  /** Passes on what `ackParse` or `lossCheck` (returning `count`) has settled. */
  settle(now: Ms, session: Session, count: number): void {
    if (count < 0) throw new ProtocolViolation("malformed", "ACK");
    const hot = this.hot;
    const acked = hot.out[Settled.acked] ?? 0;
    const lost = hot.out[Settled.lost] ?? 0;
    /* Said again, or of what was given up: no news but that, perhaps. */
    if (acked + lost === 0 && hot.out[Settled.spurious] === 0) return;
    session.noteFlight();
    const bytesAcked = hot.out[Settled.bytesAcked] ?? 0;
    const bytesLost = hot.out[Settled.bytesLost] ?? 0;
    session.packetsLost += lost;
    session.packetsSpurious += hot.out[Settled.spurious] ?? 0;
    const isSample = hot.out[Settled.largestIsNew] === 1;
    session.hasRttSample ||= isSample;
    if (isSample) session.pongRttMs = Number.POSITIVE_INFINITY;
    const receiverUnits = (hot.out[Settled.receiverClock] ?? 0) >>> 0;
    const sentMs = hot.outF64[Settled.largestSentF64] ?? 0;
    if (lost > 0 || !this.#isPlain(session, acked)) this.#dispatch(now, session, acked, lost);
    const queue = session.madeQueue;
    if (!session.isOpen || acked + lost === 0 || queue === undefined) return;
    const sample = this.#sample;
    sample.bytesAcked = bytesAcked;
    sample.bytesLost = bytesLost;
    sample.rttMs = isSample ? hot.latestRttMs(session.handle) : Number.NaN;
    sample.receiverMs = isSample ? session.remoteClock.read(receiverUnits) : Number.NaN;
    sample.oneWayMs = sample.receiverMs - sentMs;
    this.uplink.handleAck(now, queue, sample);
  }

  /** Nothing was acknowledged but fragments, none of which anything waits for: most ACKs. */
  #isPlain(session: Session, acked: number): boolean {
    if (session.madeQueue?.waitsForAcks === true) return false;
    const { out } = this.hot;
    const words = Settled.entryBytes / 4;
    const end = Settled.entriesAt / 4 + acked * words;
    for (let at = Settled.entriesAt / 4; at < end; at += words) {
      if (out[at] !== PacketKind.fragment) return false;
    }
    return true;
  }

  /** The handlers may call the hot path, which reuses its results area: the entries are copied first. */
  #dispatch(now: Ms, session: Session, acked: number, lost: number): void {
    const words = Settled.entryBytes / 4;
    const total = (acked + lost) * words;
    if (this.#settled.length < total) this.#settled = new Int32Array(total * 2);
    const at = Settled.entriesAt / 4;
    const entries = this.#settled;
    for (let i = 0; i < total; i++) entries[i] = this.hot.out[at + i] as number;
    for (let i = 0; i < total && session.isOpen; i += words) {
      const isAcked = i < acked * words;
      const kind = entries[i] as number;
      const attempt = entries[i + 1] as number;
      const stream = entries[i + 2] as number;
      const key = (entries[i + 3] as number) >>> 0;
      if (kind === PacketKind.fragment) {
        if (session.isReceiverRepaired) continue;
        if (isAcked) session.queue.handleAcked(stream, key);
        else session.queue.handleLost(now, stream, key, attempt, entries[i + 4] as number);
      } else if (kind === PacketKind.bundle) {
        for (const item of session.port.takeBundle(key)) {
          if (isAcked) session.queue.handleAcked(item.stream, item.number);
          else if (!session.isReceiverRepaired)
            session.queue.handleLost(now, item.stream, item.number, item.attempt, item.bytes);
        }
      } else if (kind === PacketKind.control) session.control?.handleSettled(key, isAcked);
    }
  }
}
