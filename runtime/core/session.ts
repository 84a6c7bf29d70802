/**
 * One connection between two nodes, after its handshake: packets under two connection ids, ACKs and their timing, the
 * control stream, keepalive and clock, and the port through which the node's Uplink sends media. What the bytes mean
 * is the role's business: it binds streams to sinks and hears of the rest through `SessionHost`. A session never
 * decides to send media; it acknowledges, repeats control, pings, and answers pings.
 */
import { assert } from "../base/assert.ts";
import { type Ms, ms, NEVER } from "../base/time.ts";
import type { Address } from "../wire/address.ts";
import { CloseCode } from "../wire/close-code.ts";
import { type ControlMessage, ControlReader, encodeControl } from "../wire/control.ts";
import {
  type AnswerPacket,
  type ClockEntry,
    encodeAnswer,
  encodeChallenge,
  encodeClock,
  encodeClose,
  encodeFeedback,
  encodePing,
  encodeRequest,
  type FeedbackEntry,
  type PongPacket,
  type RequestPacket,
} from "../wire/feedback.ts";
import {
  encodeBundleItem,
  encodeControlHead,
  encodeDataHead,
  encodeIdHead,
  encodeNumberedHead,
  type FragmentHeader,
  HEAD_BYTES,
  ID_BYTES,
  MAX_DATAGRAM,
  NUMBERED_BYTES,
  PacketType,
} from "../wire/packet.ts";
import { expandClock, toClockUnits } from "../wire/segment.ts";
import type { MapPacket, ReportPacket } from "../wire/swarm.ts";
import { ClockEstimate } from "./clock-estimate.ts";
import { ControlStream } from "./control-stream.ts";
import { type HotPath, MAX_ACK_BYTES, Status } from "./hot-path.ts";
import type { NodeContext } from "./node-context.ts";
import { type SendItem, type SendPort, SendQueue } from "./send-queue.ts";
import type { HeapMember } from "./timer-heap.ts";

/** What the hot path's window remembers a packet as. */
export const PacketKind = { fragment: 1, bundle: 2, control: 3, probe: 4 } as const;

/** How often to acknowledge: high-rate paths and peer sessions (DESIGN §4, ACKs). */
export interface AckProfile {
  readonly delayMs: number;
  readonly everyPackets: number;
}
export const ACK_FAST: AckProfile = { delayMs: 10, everyPackets: 8 };
export const ACK_PEER: AckProfile = { delayMs: 500, everyPackets: 32 };

/** Nothing sent for this long: a PING keeps addresses open and the other side sure of us. */
export const KEEPALIVE_MS = 1000;
/** Nothing heard for this long: the other side is gone. */
export const DEAD_MS = 3000;
/** First pings come in quick succession, so that the clock is known before the first frame is due. */
const PING_START_MS = [0, 60, 140, 300] as const;
const PING_MS = 2000;
/** At most one CHALLENGE in this time to an unproven address. */
const CHALLENGE_GAP_MS = 200;
/** A control chunk unacknowledged for this and two round trips is sent again. */
const CONTROL_TIMEOUT_MS = 30;
/** An answer to a PING older than this says nothing about the clock. */
const PONG_AGE_MS = 5000;

export interface SessionHost {
  handleControl(now: Ms, session: Session, message: ControlMessage): void;
  handleFeedback(now: Ms, session: Session, entry: FeedbackEntry): void;
  handleClock(now: Ms, session: Session, entry: ClockEntry): void;
  handleRequest(now: Ms, session: Session, request: RequestPacket): void;
  handleAnswer(now: Ms, session: Session, answer: AnswerPacket): void;
  handleMap(now: Ms, session: Session, map: MapPacket): void;
  handleReport(now: Ms, session: Session, report: ReportPacket): void;
  /** The session is over: by the other side's CLOSE, its silence, or its fault. Not called for our own `close`. */
  handleClosed(now: Ms, session: Session, code: CloseCode, detail: string): void;
}

/** Where the fragments of one stream index go. The body is `data[at..end)`, or lies in `slot` when that is not 0. */
export interface StreamSink {
  handleFragment(
    now: Ms,
    session: Session,
    header: FragmentHeader,
    data: Uint8Array,
    at: number,
    end: number,
    slot: number,
  ): void;
}

/** Where `sendFragment` finds payloads: the hot-path store behind one of our outgoing stream indices. */
export interface StreamSource {
  readonly store: number;
}

export interface SessionIds {
  readonly localHi: number;
  readonly localLo: number;
  readonly remoteHi: number;
  readonly remoteLo: number;
}

export class Session implements SendPort, HeapMember {
  heapIndex = -1;
  heapDeadline = 0;
  isDirty = false;

  readonly ids: SessionIds;
  address: Address;
  /** What the other side calls itself. */
  agent = "";
  readonly since: Ms;
  readonly handle: number;
  readonly clock = new ClockEstimate();
  readonly sinks = new Map<number, StreamSink>();
  readonly sources = new Map<number, StreamSource>();
  readonly counters = { bytesIn: 0, bytesOut: 0, packetsLost: 0, packetsResent: 0, spurious: 0 };
  isOpen = true;
  /** An ACK has given the hot path a round-trip time. */
  hasRttSample = false;

  readonly #context: NodeContext;
  readonly #hot: HotPath;
  readonly host: SessionHost;
  readonly #ack: AckProfile;
  #control: ControlStream | undefined;
  #reader: ControlReader | undefined;
  #queue: SendQueue | undefined;
  readonly #bundles = new Map<number, BundledFragment[]>();
  #bundleNext = 0;
  #ackDueAt: Ms = NEVER;
  #lastSentAt: Ms;
  #lastReceivedAt: Ms;
  #pingAt: Ms;
  #pings = 0;
  #streamIndex = 0;
  #challenge: { token: Uint8Array; to: Address; at: Ms } | undefined;
  #receiverUnits = -1;
  #receiverMs = 0;

  constructor(
    context: NodeContext,
    host: SessionHost,
    ids: SessionIds,
    address: Address,
    now: Ms,
    ack: AckProfile,
  ) {
    this.#context = context;
    this.#hot = context.hot;
    this.host = host;
    this.ids = ids;
    this.address = address;
    this.since = now;
    this.#ack = ack;
    this.#lastSentAt = now;
    this.#lastReceivedAt = now;
    this.#pingAt = now;
    this.handle = context.hot.sessionOpen();
    assert(this.handle > 0, "session: hot path full; admission must have checked");
  }

  /** The next free index for a stream we send on this session, 1..65535. */
  nextStreamIndex(): number {
    this.#streamIndex = (this.#streamIndex % 0xffff) + 1;
    return this.#streamIndex;
  }

  /** Media out; made on first use. */
  get queue(): SendQueue {
    this.#queue ??= new SendQueue(this, this.#context.uplink);
    return this.#queue;
  }

  get lastReceivedAt(): Ms {
    return this.#lastReceivedAt;
  }

  /* ---------------------------------------------------------------- control, feedback, close */

  /** Sends a control message, reliably and in order. A receiver that takes none in closes the session. */
  sendControl(now: Ms, message: ControlMessage): void {
    if (!this.isOpen) return;
    this.#control ??= new ControlStream();
    if (!this.#control.write(encodeControl(message))) {
      this.fail(now, CloseCode.overloaded, "control stream not taken in");
      return;
    }
    this.#flushControl(now);
  }

  sendFeedback(now: Ms, entries: readonly FeedbackEntry[]): void {
    this.sendUnnumbered(now, PacketType.FEEDBACK, (buf, at) => encodeFeedback(buf, at, entries));
  }

  sendClock(now: Ms, entries: readonly ClockEntry[]): void {
    this.sendUnnumbered(now, PacketType.CLOCK, (buf, at) => encodeClock(buf, at, entries));
  }

  sendRequest(now: Ms, request: RequestPacket): void {
    this.sendUnnumbered(now, PacketType.REQUEST, (buf, at) => encodeRequest(buf, at, request));
  }

  sendAnswer(now: Ms, answer: AnswerPacket): void {
    this.sendUnnumbered(now, PacketType.ANSWER, (buf, at) => encodeAnswer(buf, at, answer));
  }

  /** Says goodbye and forgets the session. */
  close(now: Ms, code: CloseCode, reason: string): void {
    if (!this.isOpen) return;
    this.sendUnnumbered(now, PacketType.CLOSE, (buf, at) => encodeClose(buf, at, code, reason));
    this.#context.forget(this);
  }

  /** Closes for the other side's fault or silence, and tells the host. */
  fail(now: Ms, code: CloseCode, detail: string): void {
    if (!this.isOpen) return;
    this.close(now, code, detail);
    this.host.handleClosed(now, this, code, detail);
  }

  /** Frees what the session holds; called by the context only. */
  release(): void {
    assert(this.isOpen, "session: released twice");
    this.isOpen = false;
    this.#queue?.close();
    this.#hot.sessionClose(this.handle);
  }

  /* ---------------------------------------------------------------- timers */

  /** When this session wants `handleTimeout`. */
  nextTimeout(): Ms {
    return ms(
      Math.min(
        this.#ackDueAt,
        this.#hot.lossDeadline(this.handle),
        this.#lastSentAt + KEEPALIVE_MS,
        this.#lastReceivedAt + DEAD_MS,
        this.#pingAt,
        this.#control?.resendAt(this.#controlTimeoutMs()) ?? NEVER,
      ),
    );
  }

  handleTimeout(now: Ms): void {
    if (now >= this.#lastReceivedAt + DEAD_MS) {
      this.fail(now, CloseCode.timeout, `nothing heard for ${DEAD_MS / 1000} s`);
      return;
    }
    if (now >= this.#hot.lossDeadline(this.handle)) this.#checkLoss(now);
    if (!this.isOpen) return;
    if (now >= this.#ackDueAt) this.flushAck(now);
    if (now >= this.#pingAt || now >= this.#lastSentAt + KEEPALIVE_MS) this.#ping(now);
    this.#control?.handleTimeout(now, this.#controlTimeoutMs());
    this.#flushControl(now);
  }

  /**
   * Loss detection needs an acknowledgement of something later, and a receiver that has not got our `stream` message
   * acknowledges no media: control must not wait for it for ever.
   */
  #controlTimeoutMs(): number {
    return CONTROL_TIMEOUT_MS + 2 * this.srttMs();
  }

  #checkLoss(now: Ms): void {
    this.#context.settle(now, this, this.#hot.lossCheck(this.handle, now));
    if (!this.isOpen || !this.#hot.tailProbeDue(this.handle, now)) return;
    if (this.#control?.hasUnsent === true) this.#flushControl(now);
    else this.#sendControlPacket(now, PacketKind.probe, 0, EMPTY, 0);
  }

  #ping(now: Ms): void {
    const startAt = PING_START_MS[++this.#pings];
    this.#pingAt = ms(startAt === undefined ? now + PING_MS : this.since + startAt);
    if (this.#pingAt <= now) this.#pingAt = ms(now + PING_MS);
    const number = this.#pings;
    this.sendUnnumbered(now, PacketType.PING, (buf, at) =>
      encodePing(buf, at, number, toClockUnits(now)),
    );
  }

  /* ---------------------------------------------------------------- receiving */

  /** Something of this session's arrived from `from`: it is alive, and may have moved. */
  handleArrival(now: Ms, from: Address, bytes: number): void {
    this.#lastReceivedAt = now;
    this.counters.bytesIn += bytes;
    if (from !== this.address && (from.ip !== this.address.ip || from.port !== this.address.port)) {
      this.#challengeAddress(now, from);
    }
  }

  /** A numbered packet was taken: remembers to acknowledge it. */
  handleNumbered(now: Ms, number16: number): boolean {
    const result = this.#hot.packetReceived(this.handle, now, number16);
    if (result === Status.duplicate || result === Status.old) {
      /* Its ACK may have been lost: say again what is here, soon. */
      if (this.#ackDueAt === NEVER) this.#ackDueAt = ms(now + this.#ack.delayMs);
      return false;
    }
    const isDue = result === 1 || this.#hot.ackPending(this.handle) >= this.#ack.everyPackets;
    if (isDue) this.#ackDueAt = now;
    else if (this.#ackDueAt === NEVER) this.#ackDueAt = ms(now + this.#ack.delayMs);
    return true;
  }

  handleControlBytes(now: Ms, offset: number, bytes: Uint8Array): void {
    this.#control ??= new ControlStream();
    this.#reader ??= new ControlReader();
    const reader = this.#reader;
    this.#control.receive(offset, bytes, (piece) => {
      for (const message of reader.push(piece)) {
        if (this.isOpen) this.host.handleControl(now, this, message);
      }
    });
  }

  handlePong(now: Ms, pong: PongPacket): void {
    const sentAt = expandClock(pong.echoed, now);
    if (sentAt > now || now - sentAt > PONG_AGE_MS) return;
    this.clock.addSample(ms(sentAt), pong.received, pong.sent, now);
  }

  /** The other side said goodbye. */
  handlePeerClose(now: Ms, code: CloseCode, reason: string): void {
    this.#context.forget(this);
    this.host.handleClosed(now, this, code, reason);
  }

  handleChallengeResponse(from: Address, token: Uint8Array): void {
    const challenge = this.#challenge;
    if (challenge === undefined || from.ip !== challenge.to.ip) return;
    if (from.port !== challenge.to.port || !sameBytes(token, challenge.token)) return;
    this.address = from;
    this.#challenge = undefined;
  }

  #challengeAddress(now: Ms, to: Address): void {
    if (this.#challenge !== undefined && now < this.#challenge.at + CHALLENGE_GAP_MS) return;
    const token = new Uint8Array(8);
    this.#context.random.fill(token);
    this.#challenge = { token, to, at: now };
    const before = this.address;
    this.address = to;
    this.sendUnnumbered(now, PacketType.CHALLENGE, (buf, at) => encodeChallenge(buf, at, token));
    this.address = before;
  }

  /** The other side's clock in ms from an arbitrary zero, unwrapped call by call. */
  receiverMs(units: number): number {
    if (this.#receiverUnits < 0) this.#receiverUnits = units;
    this.#receiverMs += ((units - this.#receiverUnits) | 0) / 10;
    this.#receiverUnits = units;
    return this.#receiverMs;
  }

  /** Acknowledged or lost packets that are not single fragments. */
  handleSettledControl(kind: number, key: number, isAcked: boolean): void {
    if (kind !== PacketKind.control || this.#control === undefined) return;
    if (isAcked) this.#control.handleAcked(key);
    else this.#control.handleLost(key);
  }

  /** The fragments of a settled BUNDLE, forgotten by this call. */
  takeBundle(key: number): readonly BundledFragment[] {
    const items = this.#bundles.get(key) ?? [];
    this.#bundles.delete(key);
    return items;
  }

  /* ---------------------------------------------------------------- sending */

  flushAck(now: Ms): void {
    this.#ackDueAt = NEVER;
    this.sendUnnumbered(
      now,
      PacketType.ACK,
      (_buf, at) => at + this.#hot.ackBuild(this.handle, now, at),
      ID_BYTES + MAX_ACK_BYTES,
    );
  }

  /** Sends what the last input made due: called once at its end. */
  flush(now: Ms): void {
    if (now >= this.#ackDueAt) this.flushAck(now);
    this.#flushControl(now);
  }

  #flushControl(now: Ms): void {
    while (this.#control?.hasUnsent === true && this.#context.outbox.hasRoom(MAX_DATAGRAM)) {
      const chunk = this.#control.nextChunk(now);
      if (chunk === undefined) return;
      const { offset, bytes } = chunk;
      if (!this.#sendControlPacket(now, PacketKind.control, offset, bytes, offset)) {
        this.#control.handleLost(offset);
        return;
      }
    }
  }

  #sendControlPacket(
    now: Ms,
    kind: number,
    key: number,
    body: Uint8Array,
    offset: number,
  ): boolean {
    const size = NUMBERED_BYTES + 4 + body.length;
    if (!this.#context.outbox.hasRoom(size)) return false;
    const number = this.#hot.packetSent(this.handle, now, kind, 0, 0, key, size);
    if (number < 0) return false;
    const at = this.#context.outbox.reserve(size);
    const { remoteHi, remoteLo } = this.ids;
    const buf = this.#hot.bytes;
    buf.set(body, encodeControlHead(buf, at, remoteHi, remoteLo, number & 0xffff, offset));
    this.#committed(now, size, 0);
    this.#context.uplink.countSent(now, size);
    return true;
  }

  /** Sends an unacknowledged packet whose body `body` writes at `at`, returning the end. Dropped without room. */
  sendUnnumbered(
    now: Ms,
    type: number,
    body: (buf: Uint8Array, at: number) => number,
    bytesMax = MAX_DATAGRAM,
  ): void {
    if (!this.isOpen || !this.#context.outbox.hasRoom(bytesMax)) return;
    const at = this.#context.outbox.reserve(bytesMax);
    const { remoteHi, remoteLo } = this.ids;
    const buf = this.#hot.bytes;
    const end = body(buf, encodeIdHead(buf, at, type, remoteHi, remoteLo));
    this.#committed(now, end - at, 0);
    this.#context.uplink.countSent(now, end - at);
  }

  /** The packet written at the outbox's reserved place goes out. */
  #committed(now: Ms, headBytes: number, slot: number): number {
    this.#context.outbox.commit(this.address, headBytes, slot);
    const bytes = headBytes + (slot === 0 ? 0 : this.#hot.payloadLength(slot));
    this.counters.bytesOut += bytes;
    this.#lastSentAt = now;
    this.#context.touch(this);
    return bytes;
  }

  /* ---------------------------------------------------------------- SendPort */

  /** Smoothed RTT, ms: of what we sent and had acknowledged, else of our pings, else the usual first guess. */
  srttMs(): number {
    if (this.hasRttSample || !this.clock.ready) return this.#hot.srttMs(this.handle);
    return this.clock.leastRttMs;
  }
  minRttMs(): number {
    return this.#hot.minRttMs(this.handle);
  }
  lossRate(): number {
    return this.#hot.lossRate(this.handle);
  }
  bytesInFlight(): number {
    return this.#hot.bytesInFlight(this.handle);
  }
  repairCopies(now: Ms, deadlineMs: number): number {
    return this.#hot.repairCopies(this.handle, now, deadlineMs);
  }

  sendFragment(now: Ms, item: SendItem): number {
    if (!this.isOpen) return 0;
    const slot = this.#slotOf(item);
    if (slot === 0) return 0;
    if (!this.#context.outbox.hasRoom(HEAD_BYTES)) return -1;
    const { stream, number, attempt } = item;
    const size = HEAD_BYTES + this.#hot.payloadLength(slot);
    const packet = this.#hot.packetSent(
      this.handle,
      now,
      PacketKind.fragment,
      attempt,
      stream,
      number,
      size,
    );
    if (packet < 0) return -1;
    if (attempt > 0) this.counters.packetsResent++;
    encodeDataHead(
      this.#hot.bytes,
      this.#context.outbox.reserve(HEAD_BYTES),
      this.ids.remoteHi,
      this.ids.remoteLo,
      packet & 0xffff,
      stream,
      number,
      item.index,
      item.total,
      item.flags,
    );
    return this.#committed(now, HEAD_BYTES, slot);
  }

  sendBundle(now: Ms, items: readonly SendItem[], count: number): number {
    if (!this.isOpen) return 0;
    if (!this.#context.outbox.hasRoom(MAX_DATAGRAM)) return -1;
    const at = this.#context.outbox.reserve(MAX_DATAGRAM);
    const buf = this.#hot.bytes;
    const sent: BundledFragment[] = [];
    let end = at + NUMBERED_BYTES;
    for (let i = 0; i < count; i++) {
      const item = items[i] as SendItem;
      const slot = this.#slotOf(item);
      if (slot === 0) continue;
      end = encodeBundleItem(buf, end, item, this.#hot.payloadLength(slot));
      const from = this.#hot.payloadPtr(slot);
      buf.copyWithin(end, from, from + this.#hot.payloadLength(slot));
      end += this.#hot.payloadLength(slot);
      sent.push({
        stream: item.stream,
        number: item.number,
        attempt: item.attempt,
        bytes: HEAD_BYTES + this.#hot.payloadLength(slot),
      });
      if (item.attempt > 0) this.counters.packetsResent++;
    }
    if (sent.length === 0) return 0;
    const key = this.#bundleNext++ >>> 0;
    const size = end - at;
    const packet = this.#hot.packetSent(this.handle, now, PacketKind.bundle, 0, 0, key, size);
    if (packet < 0) return -1;
    this.#bundles.set(key, sent);
    const { remoteHi, remoteLo } = this.ids;
    encodeNumberedHead(buf, at, PacketType.BUNDLE, remoteHi, remoteLo, packet & 0xffff);
    return this.#committed(now, size, 0);
  }

  sendGone(now: Ms, stream: number, first: number, count: number): void {
    this.sendAnswer(now, { stream, code: 3, retryMs: 0, ranges: [{ first, count }] });
  }

  #slotOf(item: SendItem): number {
    const source = this.sources.get(item.stream);
    return source === undefined ? 0 : this.#hot.fragmentSlot(source.store, item.number);
  }
}

export interface BundledFragment {
  readonly stream: number;
  readonly number: number;
  readonly attempt: number;
  /** UDP payload bytes it would take alone. */
  readonly bytes: number;
}

const EMPTY = new Uint8Array(0);

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
