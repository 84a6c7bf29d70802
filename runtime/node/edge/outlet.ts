/**
 * One stream's way out of a node: the receivers it is pushed to, fragment by fragment as they arrive, each receiver its
 * sub-streams. An edge has one per stream, a super node one for its children: the same organ. Of media it reads
 * priorities, group starts and capture times.
 */

import { serialDiff } from "../../base/serial.ts";
import { type Ms, ms } from "../../base/time.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import { SendClass } from "../../core/sending/send-queue.ts";
import type { Session } from "../../core/session/session.ts";
import { addressKey } from "../../wire/address.ts";
import type { FeedbackEntry, RequestPacket } from "../../wire/feedback.ts";
import { FLAG_RESENT, Phase, withPhase } from "../../wire/segment.ts";
import type { StreamInfo } from "../../wire/stream-info.ts";
import { EndingRun } from "../ending-run.ts";
import type { EpochSource } from "../intake.ts";
import { PLAYOUT_MS, Receiver } from "../peer/receiver.ts";
import { RateMeter } from "../rate-meter.ts";
import { FanRound, type FanRounds, queueFor, type RoundOwner } from "./fan-round.ts";
import { type AnswerGate, answerRequest } from "./outlet-answers.ts";

export interface SentTotals {
  readonly bytesOut: number;
  readonly packetsLost: number;
  readonly packetsResent: number;
  readonly framesDropped: number;
}

/** A receiver's uncertainty while no CLOCK has reached it (docs/WIRE.md §4). */
const CLOCK_UNKNOWN = 0xffff;
/** A group begun less than this ago would keep a joiner waiting for its first frame: it gets the one before. */
const START_AGE_MS = 1500;
/** What a start burst may take before it is pointless. */
const BURST_MS = 5000;
/** Index of the first stream a session sends. */
const FIRST_INDEX = 1;

/** What a receiver wants pushed. */
export interface Subscription {
  /** Bit i: sub-stream i of `k`. */
  readonly mask: number;
  /** 1..32; with 1, mask 1 is everything. */
  readonly k: number;
  /** First fragment of the start burst; absent = the current group's. */
  readonly from?: number | undefined;
  /** Sub-streams of the start burst, when not those of `mask`. */
  readonly burst?: number | undefined;
}
export const EVERYTHING: Subscription = { mask: 1, k: 1 };

/** What goes on with a stream besides its receivers here: other edges take it too (mesh/mesh.ts). */
export interface OutletTap {
  begin(now: Ms, source: EpochSource): void;
  /** The segment that begins with fragment `first` is whole. */
  whole(first: number): void;
  /** Gives the sessions that know the run, and its index there. */
  end(now: Ms): (readonly [Session, number])[];
  fragment(
    now: Ms,
    number: number,
    index: number,
    total: number,
    flags: number,
    bytes: number,
  ): void;
}

export class Outlet implements RoundOwner {
  readonly name: string;
  readonly tap: OutletTap | undefined;
  readonly #hot: HotPath;
  /** Receivers hear of capture times from here; a peer's children have them from the edge. */
  tellsClock = true;
  readonly receivers = new Map<Session, Receiver>();
  /** Those of them that are pushed anything, in their order; undefined = to be picked anew. */
  #fed: Receiver[] | undefined;
  readonly #round: FanRound | undefined;
  source: EpochSource | undefined;
  #ending: EndingRun | undefined;
  /** Everything handed to the queues, and the part that was pushed. */
  readonly meter = new RateMeter();
  readonly pushMeter = new RateMeter();
  /** Media bytes handed to the queues. */
  bytesOut = 0;
  framesIn = 0;
  bytesIn = 0;
  /** Of what comes in, smoothed, bit/s. */
  bitrateBps = 0;
  /** To receivers that have left. */
  readonly #sentBefore = { bytesOut: 0, packetsLost: 0, packetsResent: 0, framesDropped: 0 };

  /** With `rounds` the fragments of a turn leave together, when those are run; else each by itself. */
  constructor(hot: HotPath, name: string, rounds?: FanRounds, tap?: OutletTap) {
    this.#hot = hot;
    this.name = name;
    this.#round = rounds === undefined ? undefined : new FanRound(rounds);
    this.tap = tap;
  }

  readonly #unpick = (): void => {
    this.#fed = undefined;
  };

  /* ---------------------------------------------------------------- epochs */

  /** A new run of the encoder: receivers learn of it and follow. */
  begin(now: Ms, source: EpochSource): void {
    if (this.source !== undefined) this.end(now);
    this.source = source;
    for (const receiver of this.receivers.values()) this.#bind(now, receiver);
    this.tap?.begin(now, source);
  }

  /** The run is over; receivers wait for the next. Its last frames have `lingerMs` to arrive. */
  end(now: Ms, lingerMs = 0): void {
    this.runRound(now);
    const source = this.source;
    this.#ending?.release();
    this.#ending = undefined;
    if (source === undefined) return;
    this.source = undefined;
    const bound = this.tap?.end(now) ?? [];
    for (const receiver of this.receivers.values()) {
      const { session, index } = receiver;
      if (index === 0) continue;
      receiver.index = 0;
      bound.push([session, index]);
      session.sendControl(now, { t: "ended", index, next: source.index.next() });
    }
    this.#ending = new EndingRun(source, bound, now + lingerMs);
    this.#endEnding(now);
  }

  /** A run that is over has frames on their way. */
  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  #endEnding(now: Ms): void {
    if (this.#ending?.isOver(now) !== true) return;
    this.#ending.release();
    this.#ending = undefined;
  }

  /* ---------------------------------------------------------------- receivers */

  /** `isTold`: its ACCEPT said what `describeFirst` says. */
  add(now: Ms, session: Session, wanted: Subscription = EVERYTHING, isTold = false): void {
    this.runRound(now);
    const receiver = new Receiver(session, wanted.mask, wanted.k, this.#unpick);
    this.#unpick();
    this.receivers.set(session, receiver);
    if (this.source === undefined) return;
    receiver.mask = wanted.burst ?? wanted.mask;
    this.#bind(now, receiver, wanted.from, isTold);
    receiver.mask = wanted.mask;
  }

  /** Replaces what a receiver is pushed; with `from`, what is here of it from that fragment on is sent at once. */
  subscribe(now: Ms, session: Session, wanted: Subscription): void {
    this.runRound(now);
    const receiver = this.receivers.get(session);
    if (receiver === undefined) return;
    receiver.mask = wanted.mask;
    receiver.k = wanted.k;
    if (receiver.index !== 0 && wanted.from !== undefined) this.#burst(now, receiver, wanted.from);
  }

  /** Adds sub-streams to what a receiver is pushed, beginning at fragment `from`. */
  push(now: Ms, session: Session, mask: number, from?: number): void {
    this.runRound(now);
    const receiver = this.receivers.get(session);
    if (receiver === undefined) return;
    const before = receiver.mask;
    receiver.mask = mask;
    if (receiver.index !== 0 && from !== undefined) this.#burst(now, receiver, from);
    receiver.mask = (before | mask) >>> 0;
  }

  /** Takes sub-streams from what a receiver is pushed. */
  release(session: Session, mask: number): void {
    const receiver = this.receivers.get(session);
    if (receiver !== undefined) receiver.mask = (receiver.mask & ~mask) >>> 0;
  }

  /** The receiver at an address, as `addressKey` writes it. */
  receiverAt(address: string): Session | undefined {
    for (const session of this.receivers.keys()) {
      if (addressKey(session.address) === address) return session;
    }
    return undefined;
  }

  remove(session: Session): boolean {
    if (!this.receivers.delete(session)) return false;
    this.#unpick();
    addSent(this.#sentBefore, session);
    return true;
  }

  /** What was sent to receivers so far, those that left included: it only ever rises. */
  sent(): SentTotals {
    const totals = { ...this.#sentBefore };
    for (const session of this.receivers.keys()) addSent(totals, session);
    return totals;
  }

  /** Tells a receiver of the current epoch and sends it the group to start from. */
  #bind(now: Ms, receiver: Receiver, from?: number, isTold = false): void {
    const source = this.source as EpochSource;
    const { session } = receiver;
    receiver.index = session.nextStreamIndex();
    session.sources.set(receiver.index, { store: source.index.store });
    const info = this.describe(now, receiver.index);
    if (!isTold) session.sendControl(now, { t: "stream", ...info });
    if (!session.isOpen) return; /* it took nothing in */
    this.sendClock(now, receiver);
    this.#burst(now, receiver, from ?? info.first);
  }

  /** The current run as a receiver is told of it. */
  describe(now: Ms, index: number): StreamInfo {
    const source = this.source as EpochSource;
    const { name, id, epoch } = source.stream;
    const first = source.index.groupStartBefore(now, START_AGE_MS);
    return { index, name, id, epoch, first, next: source.index.next() };
  }

  /** Waiting to be sent to all receivers. */
  get queuedBytes(): number {
    let sum = 0;
    for (const { session } of this.receivers.values()) sum += session.madeQueue?.queuedBytes ?? 0;
    return sum;
  }

  /** What a session about to stand can be told in its ACCEPT: data may then follow in the same flight. */
  describeFirst(now: Ms): StreamInfo | undefined {
    return this.source === undefined ? undefined : this.describe(now, FIRST_INDEX);
  }

  /** Bytes a start burst would have now. */
  burstBytes(now: Ms): number {
    const index = this.source?.index;
    if (index === undefined) return 0;
    const ageMs = index.ageOf(index.groupStartBefore(now, START_AGE_MS), now);
    return (this.bitrateBps / 8) * (Math.max(0, ageMs) / 1000);
  }

  #burst(now: Ms, receiver: Receiver, from: number): void {
    const index = (this.source as EpochSource).index;
    const next = index.next();
    const begin = serialDiff(from, index.oldest()) < 0 ? index.oldest() : from;
    for (let number = begin; serialDiff(next, number) > 0; number = (number + 1) >>> 0) {
      if (!receiver.wants(number)) continue;
      this.enqueue(now, receiver, number, SendClass.burst, Phase.start, ms(now + BURST_MS));
    }
  }

  /** A receiver says when it plays: repairs have until then. */
  handleFeedback(now: Ms, session: Session, entry: FeedbackEntry): void {
    const receiver = this.receivers.get(session);
    if (receiver === undefined || entry.stream !== receiver.index) return;
    if (entry.uncertaintyMs === CLOCK_UNKNOWN) this.sendClock(now, receiver);
    if (entry.playOutOffsetMs > 0) receiver.playoutMs = entry.playOutOffsetMs;
    session.madeQueue?.handleFrontier(entry.stream, entry.next);
  }

  /* ---------------------------------------------------------------- media */

  /** A fragment is here: every receiver of its sub-stream gets it, in this turn of the loop. */
  fanOut(
    now: Ms,
    number: number,
    index: number,
    total: number,
    flags: number,
    bytes: number,
  ): void {
    this.tap?.fragment(now, number, index, total, flags, bytes);
    const receivers = this.#receiversFed();
    if (receivers.length === 0) return;
    const source = this.source as EpochSource;
    const captured = source.index.capturedAt(number, now);
    const pushed = withPhase(flags & ~FLAG_RESENT, Phase.push);
    const slot = this.#hot.fragmentSlot(source.index.store, number);
    const fragment = { number, index, total, flags: pushed, slot, bytes, captured };
    if (this.#round !== undefined) {
      this.#round.add(this, fragment);
      if (this.#round.isFull) this.runRound(now);
      return;
    }
    let sent = 0;
    for (const receiver of receivers) sent += queueFor(now, receiver, [fragment]);
    this.#countPushed(now, sent);
  }

  /** Sends what the turn has gathered. */
  runRound(now: Ms): void {
    if (this.#round === undefined || this.#round.isEmpty) return;
    this.#countPushed(now, this.#round.run(now, this.#receiversFed()));
  }

  #receiversFed(): readonly Receiver[] {
    this.#fed ??= [...this.receivers.values()].filter(({ mask }) => mask !== 0);
    return this.#fed;
  }

  #countPushed(now: Ms, bytes: number): void {
    if (bytes === 0) return;
    this.bytesOut += bytes;
    this.meter.count(now, bytes);
    this.pushMeter.count(now, bytes);
  }

  /** Queues a fragment that is here for one receiver; false when it is not here. */
  enqueue(
    now: Ms,
    receiver: Receiver,
    number: number,
    sendClass: SendClass,
    phase: Phase,
    deadline: Ms,
  ): boolean {
    const store = (this.source as EpochSource).index.store;
    const slot = this.#hot.fragmentSlot(store, number);
    if (slot === 0 || !this.#hot.fragmentInfo(store, number)) return false;
    const [index, total, flags] = [this.#hot.out[0], this.#hot.out[1], this.#hot.out[2]];
    receiver.session.queue.enqueueFragment(
      now,
      receiver.index,
      number,
      index as number,
      total as number,
      withPhase((flags as number) & ~FLAG_RESENT, phase),
      this.#hot.payloadLength(slot),
      deadline,
      sendClass,
    );
    this.bytesOut += this.#hot.payloadLength(slot);
    this.meter.count(now, this.#hot.payloadLength(slot));
    return true;
  }

  /** A pull or compensation (outlet-answers.ts). */
  answer(now: Ms, receiver: Receiver, request: RequestPacket, gate?: AnswerGate): void {
    answerRequest(this, this.#hot, now, receiver, request, gate);
  }

  /** Pushes a fragment once more, ahead of all answers: a whole subtree may be waiting for it. */
  pushAgain(now: Ms, session: Session, number: number): void {
    const receiver = this.receivers.get(session);
    const index = this.source?.index;
    if (receiver === undefined || receiver.index === 0 || index === undefined) return;
    const deadline = ms(index.capturedAt(number, now) + receiver.playoutMs);
    this.enqueue(now, receiver, number, SendClass.push, Phase.compensation, deadline);
  }

  /* ---------------------------------------------------------------- housekeeping */

  /** Called now and then. */
  tick(now: Ms): void {
    this.source?.index.evict(now);
    this.#endEnding(now);
  }

  sendClocks(now: Ms): void {
    for (const receiver of this.receivers.values()) this.sendClock(now, receiver);
  }

  sendClock(now: Ms, receiver: Receiver): void {
    const { source } = this;
    if (!this.tellsClock || source === undefined || receiver.index === 0 || !source.clock.ready)
      return;
    receiver.session.sendClock(now, [
      {
        stream: receiver.index,
        captureOffsetMs: source.clock.offsetMs(now),
        uncertaintyMs: source.clock.uncertaintyMs(now),
        frontier: source.index.next(),
      },
    ]);
  }

  /** The last receiver's play-out offset: until then a repair towards this edge is worth its bytes. */
  playoutMsMax(): number {
    let max = 0;
    for (const receiver of this.receivers.values()) max = Math.max(max, receiver.playoutMs);
    return max === 0 ? PLAYOUT_MS : max;
  }
}

function addSent(totals: { -readonly [K in keyof SentTotals]: number }, session: Session): void {
  totals.bytesOut += session.bytesOut;
  totals.packetsLost += session.packetsLost;
  totals.packetsResent += session.packetsResent;
  totals.framesDropped += session.madeQueue?.segmentsDropped ?? 0;
}
