/**
 * One connection between two nodes, after its handshake: packets under two connection ids, ACKs and their timing, the
 * control stream, keepalive and clock, and the port through which the node's Uplink sends media. What the bytes mean
 * is the role's business: it binds streams to sinks and hears of the rest through `SessionHost`. A session never
 * decides to send media; it acknowledges, repeats control, pings, and answers pings.
 */
import { assert } from "../../base/assert.ts";
import { type Ms, ms } from "../../base/time.ts";
import type { Address } from "../../wire/address.ts";
import { CloseCode } from "../../wire/close-code.ts";
import type { ControlMessage } from "../../wire/control.ts";
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
  type RequestPacket,
} from "../../wire/feedback.ts";
import {
  encodeControlHead,
  encodeIdHead,
  MAX_DATAGRAM,
  NUMBERED_BYTES,
  PacketType,
} from "../../wire/packet.ts";
import { toClockUnits } from "../../wire/segment.ts";
import { type HotPath, Received, Status } from "../hot-path/hot-path.ts";
import { SendQueue } from "../sending/send-queue.ts";
import type { TrainMeter } from "../time/train-meter.ts";
import type { NodeContext } from "./node-context.ts";
import { SessionControl } from "./session-control.ts";
import { AddressCheck, isSame, nextPingAt, UnwrappedClock } from "./session-path.ts";
import { SessionPort } from "./session-port.ts";
import { SessionState } from "./session-state.ts";
import {
  type AckProfile,
  DEAD_MS,
  PacketKind,
  type SessionHost,
  type SessionIds,
} from "./session-types.ts";

export * from "./session-types.ts";

export class Session extends SessionState {
  readonly #context: NodeContext;
  readonly #hot: HotPath;
  #port: SessionPort | undefined;
  #queue: SendQueue | undefined;
  #lastSentAt: Ms;
  #lastReceivedAt: Ms;
  #pingAt: Ms;
  #pings = 0;
  #check: AddressCheck | undefined;
  #remoteClock: UnwrappedClock | undefined;
  /** Of the packet train the other side has sent, if it has. */
  train: TrainMeter | undefined;
  /** What the hot path says of losses by time; NaN = to be asked anew. */
  #lossAt = Number.NaN;
  /** Control is unsent or unacknowledged. */
  #isControlBusy = false;

  /** `handle` is an open session of the hot path, owned from now on. See `NodeContext.open`. */
  constructor(
    context: NodeContext,
    handle: number,
    host: SessionHost,
    ids: SessionIds,
    address: Address,
    now: Ms,
    ack: AckProfile,
  ) {
    super(handle, host, ids, address, now, ack);
    this.#context = context;
    this.#hot = context.hot;
    this.#lastSentAt = now;
    this.#lastReceivedAt = now;
    this.#pingAt = now;
  }

  /** Which of the node's lines it uses. */
  get line(): number {
    return this.#context.line;
  }

  /** Media out; made on first use. */
  get queue(): SendQueue {
    if (this.#queue === undefined) {
      this.#queue = new SendQueue(this.port, this.#context.uplink);
      this.#queue.isThin = this.isReceiverRepaired;
    }
    return this.#queue;
  }

  /** The queue if there is one: to ask it something is no reason to make it. */
  get madeQueue(): SendQueue | undefined {
    return this.#queue;
  }

  /** Where the queue's fragments leave. */
  get port(): SessionPort {
    this.#port ??= new SessionPort(this, this.#context);
    return this.#port;
  }

  /** The other side's clock as its ACKs show it. */
  get remoteClock(): UnwrappedClock {
    this.#remoteClock ??= new UnwrappedClock();
    return this.#remoteClock;
  }

  /** Everything sent so far has arrived, or was given up. */
  get isSettled(): boolean {
    const isControlIn = this.control?.isSettled !== false && this.#queue?.isIdle !== false;
    return this.isOpen && isControlIn && this.#hot.packetsInFlight(this.handle) === 0;
  }

  get lastReceivedAt(): Ms {
    return this.#lastReceivedAt;
  }

  /* ---------------------------------------------------------------- control, feedback, close */

  /** Sends a control message, reliably and in order. A receiver that takes none in closes the session. */
  sendControl(now: Ms, message: ControlMessage): void {
    if (!this.isOpen) return;
    if (this.#controlStream().write(message)) this.#flushControl(now);
    else this.fail(now, CloseCode.overloaded, "control stream not taken in");
  }

  #controlStream(): SessionControl {
    this.control ??= new SessionControl();
    return this.control;
  }

  /** Goes with an ACK if one leaves within `waitMs`, else alone. */
  sendFeedback(now: Ms, entries: readonly FeedbackEntry[], waitMs = 0): void {
    this.holdFeedback(ms(now + waitMs), entries);
    if (waitMs <= 0) this.#flushFeedback(now);
    else this.#context.touch(this);
  }

  #flushFeedback(now: Ms): void {
    const entries = this.takeFeedback();
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
    if (Number.isNaN(this.#lossAt)) this.#lossAt = this.#hot.lossDeadline(this.handle);
    const { keepaliveMs } = this.ackProfile;
    const aliveAt = Math.min(this.#lastSentAt + keepaliveMs, this.#lastReceivedAt + DEAD_MS);
    const { ackDueAt, feedbackDueAt } = this;
    const at = Math.min(ackDueAt, feedbackDueAt, this.#lossAt, aliveAt, this.#pingAt);
    const control = this.#isControlBusy ? this.control : undefined;
    return ms(control === undefined ? at : Math.min(at, control.resendAt(this.srttMs())));
  }

  /** Packets of ours were numbered or settled: losses by time are due at another time. */
  noteFlight(): void {
    this.#lossAt = Number.NaN;
  }

  handleTimeout(now: Ms): void {
    if (now >= this.#lastReceivedAt + DEAD_MS) {
      this.fail(now, CloseCode.timeout, `nothing heard for ${DEAD_MS / 1000} s`);
      return;
    }
    if (now >= this.#hot.lossDeadline(this.handle)) this.#checkLoss(now);
    if (!this.isOpen) return;
    if (now >= this.ackDueAt) this.flushAck(now);
    if (now >= this.feedbackDueAt) this.#flushFeedback(now);
    const { keepaliveMs } = this.ackProfile;
    if (now >= this.#pingAt || now >= this.#lastSentAt + keepaliveMs) this.ping(now);
    if (this.#isControlBusy) this.control?.handleTimeout(now, this.srttMs(), this);
  }

  #checkLoss(now: Ms): void {
    this.noteFlight();
    this.#context.settle(now, this, this.#hot.lossCheck(this.handle, now));
    if (!this.isOpen || !this.#hot.tailProbeDue(this.handle, now)) return;
    if (this.isReceiverRepaired) return; /* its ACKs are late by design: a probe asks in vain */
    if (this.control?.hasUnsent === true) this.#flushControl(now);
    else this.#sendControlPacket(now, PacketKind.probe, 0, new Uint8Array(0));
  }

  ping(now: Ms): void {
    const sentAt = toClockUnits(now);
    const number = ++this.#pings;
    this.#pingAt = nextPingAt(now, this.since, number, this.ackProfile);
    this.sendUnnumbered(now, PacketType.PING, (buf, at) => encodePing(buf, at, number, sentAt));
  }

  /* ---------------------------------------------------------------- receiving */

  /** Something of this session's arrived from `from`: it is alive, and may have moved. */
  handleArrival(now: Ms, from: Address, bytes: number): void {
    this.#lastReceivedAt = now;
    this.bytesIn += bytes;
    if (from !== this.address && !isSame(from, this.address)) this.#challengeAddress(now, from);
  }

  /** A numbered packet was taken: remembers to acknowledge it, soon when it carries control. */
  handleNumbered(now: Ms, number16: number, isControl = false): boolean {
    const result = this.#hot.packetReceived(this.handle, now, number16);
    if (result === Status.duplicate || result === Status.old) {
      this.noteOld(now);
      return false;
    }
    const pending = this.#hot.ackPending(this.handle);
    this.noteFresh(now, result === Received.gap, pending, isControl);
    return true;
  }

  /** `received` and `sent`: by the other side's clock, of the PING of `sentAt` and its PONG. */
  handlePong(now: Ms, sentAt: Ms, received: number, sent: number): void {
    this.handleRoundTrip(now, sentAt);
    if (!this.isReceiverRepaired) this.clock.addSample(sentAt, received, sent, now);
  }

  /** What was sent at `sentAt` was answered at once. */
  handleRoundTrip(now: Ms, sentAt: Ms): void {
    this.pongRttMs = now - sentAt;
    this.leastPongMs = Math.min(this.leastPongMs, this.pongRttMs);
    /* Peers need the round-trip time only: one answer is enough for a while. */
    if (this.isReceiverRepaired)
      this.#pingAt = ms(Math.max(this.#pingAt, sentAt + this.ackProfile.pingMs));
  }

  handleControlBytes(now: Ms, offset: number, bytes: Uint8Array): void {
    this.#controlStream().receive(offset, bytes, (message) => {
      if (this.isOpen) this.host.handleControl(now, this, message);
    });
  }

  /** The other side said goodbye. */
  handlePeerClose(now: Ms, code: CloseCode, reason: string): void {
    this.#context.forget(this);
    this.host.handleClosed(now, this, code, reason);
  }

  handleChallengeResponse(now: Ms, from: Address, token: Uint8Array): void {
    if (this.#check?.isProof(now, from, token) !== true) return;
    this.address = from;
    this.#check = undefined;
  }

  /** Asks whether the other side can be heard at `to`; nothing else goes there until it can. */
  #challengeAddress(now: Ms, to: Address): void {
    this.#check ??= new AddressCheck();
    const token = this.#check.tokenFor(now, to, this.#context.random);
    if (token === undefined) return;
    const before = this.address;
    this.address = to;
    this.sendUnnumbered(now, PacketType.CHALLENGE, (buf, at) => encodeChallenge(buf, at, token));
    this.address = before;
  }

  /* ---------------------------------------------------------------- sending */

  flushAck(now: Ms): void {
    this.noteAckSent(now);
    const entries = this.takeFeedback();
    this.sendUnnumbered(now, PacketType.ACK, (buf, at) => {
      const end = at + this.#hot.ackBuild(this.handle, now, at);
      return entries.length === 0 ? end : encodeFeedback(buf, end, entries);
    });
  }

  /** Sends what the last input made due: called once at its end. */
  flush(now: Ms): void {
    if (now >= this.ackDueAt) this.flushAck(now);
    if (this.#isControlBusy) this.#flushControl(now);
  }

  #flushControl(now: Ms): void {
    const control = this.control as SessionControl;
    control.flush(now, this);
    this.#isControlBusy = !control.isSettled;
  }

  /** For the control stream. */
  sendPiece(now: Ms, offset: number, bytes: Uint8Array): boolean {
    return this.#sendControlPacket(now, PacketKind.control, offset, bytes);
  }

  /** `key` is the offset of the piece in the control stream. */
  #sendControlPacket(now: Ms, kind: number, key: number, body: Uint8Array): boolean {
    const size = NUMBERED_BYTES + 4 + body.length;
    if (!this.#context.outbox.hasRoom(size)) return false;
    const number = this.#hot.packetSent(this.handle, now, kind, 0, 0, key, size);
    if (number < 0) return false;
    const at = this.#context.outbox.reserve(size);
    const { remoteHi, remoteLo } = this;
    const buf = this.#hot.bytes;
    buf.set(body, encodeControlHead(buf, at, remoteHi, remoteLo, number & 0xffff, key));
    this.commit(now, size, 0);
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
    const { remoteHi, remoteLo } = this;
    const buf = this.#hot.bytes;
    const end = body(buf, encodeIdHead(buf, at, type, remoteHi, remoteLo));
    this.commit(now, end - at, 0);
    this.#context.uplink.countSent(now, end - at);
  }

  /** The packet written at the outbox's reserved place goes out, the payload of `slot` (0 = none) behind it. */
  commit(now: Ms, headBytes: number, slot: number): number {
    this.#context.outbox.commit(this.address, headBytes, slot, this.#context.line);
    const bytes = headBytes + (slot === 0 ? 0 : this.#hot.payloadLength(slot));
    this.bytesOut += bytes;
    this.#lastSentAt = now;
    this.noteFlight();
    this.#context.touch(this);
    return bytes;
  }

  /** Packets went out past `commit` (fan-out.ts): their bytes, and when one of them would be lost by time. */
  noteFanned(now: Ms, bytes: number, lossAt: Ms): void {
    this.bytesOut += bytes;
    this.#lastSentAt = now;
    this.#lossAt = lossAt;
    this.#context.dueBy(this, lossAt);
  }

  /* ---------------------------------------------------------------- figures of the path */

  /**
   * Smoothed RTT, ms: of what we sent and had acknowledged, else of our pings, else the usual first guess. A PONG that
   * knows better than what was acknowledged before it is believed: a sender that holds all media back because of a long
   * RTT would never hear that it is over.
   */
  srttMs(): number {
    if (!this.hasRttSample && Number.isFinite(this.leastPongMs)) return this.leastPongMs;
    return Math.min(this.#hot.srttMs(this.handle), this.pongRttMs);
  }
  rttVarMs(): number {
    return this.#hot.rttVarMs(this.handle);
  }
  minRttMs(): number {
    return this.#hot.minRttMs(this.handle);
  }
  lossRate(): number {
    return this.#hot.lossRate(this.handle);
  }
}
