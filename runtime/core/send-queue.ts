/**
 * One session's queue of what is to be sent, and its repairs. It says what goes next and what is given up; the `Uplink`
 * above all queues says when. Runs of fragments wait in four lists (small and vital pushes, video pushes, answers,
 * bursts); video is thinned by shedding.ts. Thousands of queues exist and most are idle: everything but a few fields is
 * made on first use.
 */
import { assert } from "../base/assert.ts";
import { type Ms, ms, NEVER } from "../base/time.ts";
import { PathControl } from "./rate-control-path.ts";
import { type Repair, Repairs } from "./send-queue-repairs.ts";
import { DATA_HEAD_BYTES, type Run } from "./send-queue-run.ts";
import { OutgoingStream } from "./send-queue-stream.ts";
import {
  type AckSample,
  BUNDLE_BODY_BYTES,
  BUNDLE_ENTRIES_MAX,
  BUNDLE_ENTRY_BYTES,
  FLAG_RESENT,
  Priority,
  type QueuedSegment,
  SendClass,
  type SendItem,
  type SendPort,
} from "./send-queue-types.ts";
import { shed } from "./shedding.ts";
import type { Uplink } from "./uplink.ts";

export * from "./send-queue-types.ts";

/** Runs in one list; the oldest goes when more come. */
export const QUEUED_RUNS_MAX = 2048;
/** Shedding is looked at when the backlog takes more than this share of the time to the deadline. */
const BACKLOG_SHARE = 0.1;
/** A fragment up to this size looks for company in its datagram. */
const BUNDLE_FRAGMENT_BYTES = 700;
/** A full packet window or outbox is tried again after this, if no ACK comes first. */
const FULL_RETRY_MS = 2;

/** What is handed in within this time is one event; longer gaps than the other count as that long. */
const SAME_MOMENT_MS = 1;
const GAP_MS_MAX = 100;

const NONE: Run[] = [];
/** What `transmit` returns besides bytes: nothing went, since things were dropped; the window or outbox is full. */
export const Sent = { nothing: 0, full: -1 } as const;

export class SendQueue {
  /* Owned by the uplink: which rings it is in, and when it is woken. */
  ringBits = 0;
  heapIndex = -1;
  heapDeadline = 0;
  /** Interval of the uplink in which it last gave a delay sample, and where. */
  sharedInterval = -1;
  sharedAt = 0;
  isClosed = false;

  readonly port: SendPort;
  readonly #uplink: Uplink;
  #path: PathControl | undefined;
  #repairs: Repairs | undefined;
  #streams: OutgoingStream[] | undefined;
  /** Configurations, audio, metadata to push; then video; answers; bursts. */
  #vital = NONE;
  #video = NONE;
  #pull = NONE;
  #burst = NONE;
  #vitalBytes = 0;
  #videoBytes = 0;
  #otherBytes = 0;
  /** Not to be asked before this time (full window). */
  #fullUntil = 0;
  /** When something was last handed in, and the usual time between such moments. */
  #enqueuedAt = 0;
  #gapMs = 0;
  /* A range given up and not yet told. */
  #goneStream = 0;
  #goneFirst = 0;
  #goneCount = 0;
  segmentsDropped = 0;
  fragmentsResent = 0;

  constructor(port: SendPort, uplink: Uplink) {
    this.port = port;
    this.#uplink = uplink;
  }

  /* ---------------------------------------------------------------- figures */

  /** UDP payload bytes waiting. */
  get queuedBytes(): number {
    return this.#vitalBytes + this.#videoBytes + this.#otherBytes;
  }

  /** bit/s this session may use; 0 = not limited so far. */
  get rateBps(): number {
    return this.#path?.rate.limitBps ?? 0;
  }

  /** Queueing delay towards the receiver at the last ACK, ms. */
  get queueDelayMs(): number {
    return this.#path?.queueMs ?? 0;
  }

  /* ---------------------------------------------------------------- commands */

  /** A segment to push, answer or burst; the unit of dropping. Copied. */
  enqueueSegment(now: Ms, segment: Readonly<QueuedSegment>): void {
    const run = this.#uplink.runs.take();
    run.setSegment(segment);
    this.#enqueue(now, run);
  }

  /** One fragment, its body of `bytes`: passed on before the segment is whole, or an answer to a pull. */
  enqueueFragment(
    now: Ms,
    stream: number,
    number: number,
    index: number,
    total: number,
    flags: number,
    bytes: number,
    deadlineMs: number,
    sendClass: SendClass,
  ): void {
    const run = this.#uplink.runs.take();
    run.setFragment(stream, number, index, total, flags, bytes, deadlineMs, sendClass);
    this.#enqueue(now, run);
  }

  #enqueue(now: Ms, run: Run): void {
    assert(!this.isClosed, "send queue: enqueue after close");
    if (run.isDone) return this.#uplink.runs.give(run);
    const path = this.path;
    if (now > this.#enqueuedAt + SAME_MOMENT_MS) {
      const gapMs = Math.min(now - this.#enqueuedAt, GAP_MS_MAX);
      this.#gapMs += (gapMs - this.#gapMs) / 8;
      this.#enqueuedAt = now;
    }
    path.rate.noteDemand(now, run.bytesLeft);
    this.#uplink.noteDemand(now, run.bytesLeft);
    if (run.sendClass === SendClass.push && run.priority >= Priority.key) {
      this.#enqueueVideo(now, run);
    } else if (run.sendClass === SendClass.push) {
      this.#vital = appended(this.#vital, run);
      this.#vitalBytes += run.bytesLeft;
      if (this.#vital.length > QUEUED_RUNS_MAX) this.#drop(now, this.#vital, 0);
    } else {
      const list = appended(this.#listOf(run.sendClass), run);
      if (run.sendClass === SendClass.pull) this.#pull = list;
      else this.#burst = list;
      this.#otherBytes += run.bytesLeft;
      if (list.length > QUEUED_RUNS_MAX) this.#drop(now, list, 0);
    }
    this.#flushGone(now);
    this.#uplink.ready(this, run.sendClass);
  }

  #enqueueVideo(now: Ms, run: Run): void {
    const stream = this.#streamOf(run.stream);
    stream.noteOffered(now, run);
    if (run.isKey && run.next === 0) stream.noteKey();
    this.#video = appended(this.#video, run);
    this.#videoBytes += run.bytesLeft;
    if (stream.isOrphan(run) || this.#isBehind(now, run)) this.#shed(now);
    if (this.#video.length > QUEUED_RUNS_MAX) this.#drop(now, this.#video, 0);
  }

  /** A packet with this fragment was acknowledged, perhaps late, after it was declared lost. */
  handleAcked(stream: number, number: number): void {
    const repairs = this.#repairs;
    if (repairs === undefined || repairs.isEmpty) return;
    const repair = repairs.find(stream, number);
    if (repair !== undefined) repairs.remove(repair);
  }

  /** The packet that carried this fragment as `attempt` is lost; `bytes` are its UDP payload bytes. */
  handleLost(now: Ms, stream: number, number: number, attempt: number, bytes: number): void {
    this.#repairs ??= new Repairs();
    let repair = this.#repairs.find(stream, number);
    if (repair === undefined) {
      /* A copy's loss without a record: another copy has arrived, or it was given up. */
      if (attempt > 0) return;
      repair = this.#newRepair(stream, number, bytes);
      if (repair === undefined) return;
      this.#repairs.add(repair);
    } else {
      if (repair.attempt !== attempt || repair.outstanding === 0) return;
      repair.outstanding--;
      if (repair.outstanding > 0 || repair.copiesLeft > 0) return;
    }
    const copies = this.#copies(now, repair.deadlineMs);
    if (copies <= 0) {
      this.#repairs.remove(repair);
      this.#gone(now, stream, number, 1);
      this.#flushGone(now);
      return;
    }
    if (copies > 1) repair.sendClass = SendClass.repair;
    this.#repairs.arm(now, repair, copies, this.#oneWayMs());
    this.#uplink.ready(this, repair.sendClass);
  }

  /**
   * Copies by the rule of docs/WIRE.md §3. The loss of a repair shows only by a packet sent after it: with an empty
   * queue that is the next frame's, and a round is so much longer. Two copies do where a round might yet fit.
   */
  #copies(now: Ms, deadlineMs: number): number {
    const waitMs = this.queuedBytes > 0 ? 0 : Math.max(0, this.#enqueuedAt + this.#gapMs - now);
    const copies = this.port.repairCopies(now, deadlineMs);
    if (copies !== 1 || waitMs === 0) return copies;
    const lastRound = this.port.repairCopies(now, deadlineMs - waitMs / 2);
    if (lastRound !== 1) return Math.max(2, lastRound);
    return this.port.repairCopies(now, deadlineMs - waitMs) === 1 ? 1 : 2;
  }

  #newRepair(stream: number, number: number, bytes: number): Repair | undefined {
    const known = this.#streams?.find((each) => each.stream === stream);
    const at = known?.find(number) ?? -1;
    if (known === undefined || at < 0) return undefined;
    const sendClass = known.classAt(at);
    return {
      stream,
      number,
      index: (number - known.firstAt(at)) >>> 0,
      total: known.totalAt(at),
      flags: known.flagsAt(at) | FLAG_RESENT,
      bytes: Math.max(1, bytes - DATA_HEAD_BYTES),
      deadlineMs: known.deadlineAt(at),
      sendClass: sendClass === SendClass.push ? SendClass.repair : sendClass,
      attempt: 0,
      copiesLeft: 0,
      outstanding: 0,
      notBeforeMs: 0,
      spacingMs: 0,
    };
  }

  /** The receiver has it from elsewhere: nothing more of it is sent. */
  handleHave(stream: number, number: number): void {
    this.handleAcked(stream, number);
    const isSame = (run: Run): boolean =>
      run.stream === stream &&
      run.isSingle &&
      (run.first + run.next) >>> 0 === number;
    this.#sweep(isSame);
  }

  /** The receiver wants nothing of this stream below `number` any more. */
  handleFrontier(stream: number, number: number): void {
    if (this.queuedBytes > 0) {
      this.#sweep((run) => run.stream === stream && ((run.first + run.end - number) | 0) <= 0);
    }
    if (this.#repairs === undefined || this.#repairs.isEmpty) return;
    this.#repairs.removeWhere((each) => each.stream === stream && ((each.number - number) | 0) < 0);
  }

  /** Forgets a stream: unsubscribed, or its index was given to another epoch. */
  dropStream(stream: number): void {
    this.#sweep((run) => run.stream === stream);
    this.#repairs?.removeWhere((repair) => repair.stream === stream);
    if (this.#streams === undefined) return;
    this.#streams = this.#streams.filter((each) => each.stream !== stream);
  }

  /** Leaves the uplink. Nothing may be called afterwards. */
  close(): void {
    this.#sweep(() => true);
    this.#repairs = undefined;
    this.#streams = undefined;
    this.isClosed = true;
    this.#uplink.forget(this);
  }

  /* ---------------------------------------------------------------- for the uplink */

  get path(): PathControl {
    this.#path ??= new PathControl();
    return this.#path;
  }

  /** Takes an ACK's figures; returns the queueing delay it shows, NaN = none. */
  handleAck(now: Ms, sample: Readonly<AckSample>, sharedMs: number): number {
    if (this.#path === undefined) return Number.NaN;
    this.#fullUntil = 0;
    const { port } = this;
    return this.#path.handleAck(now, sample, port.srttMs(), port.minRttMs(), sharedMs);
  }

  /** Whether there is anything of the class, due or not. */
  has(sendClass: SendClass): boolean {
    if (this.#listOf(sendClass).length > 0) return true;
    return this.#repairs?.hasDue === true && this.#repairs.nextAt(sendClass) < NEVER;
  }

  /** When something of the class may go: path's pace, a full window, spaced copies. Past = now. */
  readyAt(now: Ms, sendClass: SendClass): Ms {
    const rate = this.path.rate;
    const paced = rate.allows(now) ? 0 : rate.nextAt;
    const at = Math.max(paced, this.#fullUntil);
    const repairs = this.#repairs;
    if (repairs === undefined || this.#listOf(sendClass).length > 0) return ms(at);
    return ms(Math.max(at, repairs.nextAt(sendClass)));
  }

  /** Sends one packet of the class: its UDP payload bytes, or `Sent.nothing` (things were dropped), or `Sent.full`. */
  transmit(now: Ms, sendClass: SendClass): number {
    const repair = this.#repairs?.next(now, sendClass);
    const sent =
      repair === undefined ? this.#transmitRun(now, sendClass) : this.#transmitRepair(now, repair);
    this.#flushGone(now);
    if (sent > 0) this.path.rate.noteSent(now, sent);
    else if (sent === Sent.full) this.#fullUntil = now + FULL_RETRY_MS;
    return sent;
  }

  #transmitRepair(now: Ms, repair: Repair): number {
    const repairs = this.#repairs as Repairs;
    if (now + this.#oneWayMs() > repair.deadlineMs) {
      repairs.remove(repair);
      this.#gone(now, repair.stream, repair.number, 1);
      return Sent.nothing;
    }
    const item = this.#uplink.items[0] as SendItem;
    item.stream = repair.stream;
    item.number = repair.number;
    item.index = repair.index;
    item.total = repair.total;
    item.flags = repair.flags;
    item.bytes = repair.bytes;
    item.attempt = repair.attempt;
    item.deadlineMs = repair.deadlineMs;
    item.sendClass = repair.sendClass;
    item.notBeforeMs = repair.notBeforeMs;
    const sent = this.port.sendFragment(now, item);
    if (sent > 0) {
      this.fragmentsResent++;
      repairs.noteSent(now, repair);
    } else if (sent === 0) {
      repairs.remove(repair);
      this.#gone(now, repair.stream, repair.number, 1);
    }
    return sent;
  }

  #transmitRun(now: Ms, sendClass: SendClass): number {
    const list = this.#listOf(sendClass);
    const run = list[0];
    if (run === undefined) return Sent.nothing;
    const isVideo = list === this.#video;
    if (isVideo && !run.hasBegun && this.#isBehind(now, run)) {
      this.#shed(now);
      if (this.#video[0] !== run) return Sent.nothing;
    }
    if (now + this.#oneWayMs() > run.deadlineMs) {
      if (isVideo) {
        this.#streamOf(run.stream).noteDropped(run);
        run.isDoomed = true;
        this.#shed(now);
      } else this.#drop(now, list, 0);
      return Sent.nothing;
    }
    this.#fill(this.#uplink.items[0] as SendItem, run);
    const count = run.isSingle ? this.#gather(list, run) : 1;
    if (!run.hasBegun) this.#streamOf(run.stream).noteSent(now, run);
    return count > 1 ? this.#sendBundle(now, list, count) : this.#sendSingle(now, list, run);
  }

  #sendSingle(now: Ms, list: Run[], run: Run): number {
    const item = this.#uplink.items[0] as SendItem;
    const sent = this.port.sendFragment(now, item);
    if (sent < 0) return sent;
    if (sent === 0) this.#gone(now, run.stream, item.number, 1);
    this.#advance(list, run);
    return sent;
  }

  #sendBundle(now: Ms, list: Run[], count: number): number {
    for (let i = 1; i < count; i++) {
      const run = list[i] as Run;
      this.#streamOf(run.stream).noteSent(now, run);
    }
    const sent = this.port.sendBundle(now, this.#uplink.items, count);
    if (sent < 0) return sent;
    for (let i = 0; i < count; i++) {
      const run = list[0] as Run;
      const number = (run.first + run.next) >>> 0;
      if (sent === 0) this.#gone(now, run.stream, number, 1);
      this.#advance(list, run);
    }
    return sent;
  }

  /** Fills further items with small single fragments that follow in the list and fit; returns how many there are. */
  #gather(list: readonly Run[], first: Run): number {
    let room = BUNDLE_BODY_BYTES - BUNDLE_ENTRY_BYTES - first.bodyBytes(first.next);
    if (first.bodyBytes(first.next) > BUNDLE_FRAGMENT_BYTES) return 1;
    let count = 1;
    while (count < BUNDLE_ENTRIES_MAX && count < list.length) {
      const run = list[count] as Run;
      const bytes = run.bodyBytes(run.next);
      if (!run.isSingle || bytes + BUNDLE_ENTRY_BYTES > room) break;
      this.#fill(this.#uplink.items[count] as SendItem, run);
      room -= bytes + BUNDLE_ENTRY_BYTES;
      count++;
    }
    return count;
  }

  #fill(item: SendItem, run: Run): void {
    item.stream = run.stream;
    item.number = (run.first + run.next) >>> 0;
    item.index = run.next;
    item.total = run.total;
    item.flags = run.flags;
    item.bytes = run.bodyBytes(run.next);
    item.attempt = 0;
    item.deadlineMs = run.deadlineMs;
    item.sendClass = run.sendClass;
    item.notBeforeMs = 0;
  }

  /* ---------------------------------------------------------------- dropping */

  #oneWayMs(): number {
    return this.port.minRttMs() / 2 + (this.#path?.queueMs ?? 0);
  }

  /** Whether what waits may take so long that shedding has to look at it. */
  #isBehind(now: Ms, run: Run): boolean {
    const spareMs = (run.deadlineMs - now) * BACKLOG_SHARE;
    return (this.#vitalBytes + this.#videoBytes) * 8000 > this.#planBps() * spareMs;
  }

  #planBps(): number {
    return Math.min(this.path.rate.planBps, this.#uplink.shareBps);
  }

  #shed(now: Ms): void {
    const plan = this.#uplink.plan;
    plan.arrivalMs = now + this.#oneWayMs();
    plan.bytesPerMs = (this.#planBps() * (1 - Math.min(this.port.lossRate(), 0.5))) / 8000;
    plan.bytesAhead = this.#vitalBytes;
    shed(this.#video, plan, (stream) => this.#streamOf(stream));
    let kept = 0;
    for (let i = 0; i < this.#video.length; i++) {
      const run = this.#video[i] as Run;
      if (run.isDoomed) this.#giveUp(now, run);
      else this.#video[kept++] = run;
    }
    this.#video.length = kept;
  }

  #drop(now: Ms, list: Run[], at: number): void {
    const run = list[at] as Run;
    list.splice(at, 1);
    this.#giveUp(now, run);
  }

  /** Tells the receiver that the rest of a run will not come; the run has left its list. */
  #giveUp(now: Ms, run: Run): void {
    this.#uncount(run, run.bytesLeft);
    this.segmentsDropped++;
    this.#gone(now, run.stream, (run.first + run.next) >>> 0, run.end - run.next);
    this.#uplink.runs.give(run);
  }

  #advance(list: Run[], run: Run): void {
    const before = run.bytesLeft;
    run.advance();
    this.#uncount(run, before - run.bytesLeft);
    if (!run.isDone) return;
    const at = list.indexOf(run);
    if (at === 0) list.shift();
    else list.splice(at, 1);
    this.#uplink.runs.give(run);
  }

  #uncount(run: Run, bytes: number): void {
    if (run.sendClass !== SendClass.push) this.#otherBytes -= bytes;
    else if (run.priority >= Priority.key) this.#videoBytes -= bytes;
    else this.#vitalBytes -= bytes;
  }

  #sweep(isOut: (run: Run) => boolean): void {
    for (const list of [this.#vital, this.#video, this.#pull, this.#burst]) {
      let kept = 0;
      for (let i = 0; i < list.length; i++) {
        const run = list[i] as Run;
        if (isOut(run)) {
          this.#uncount(run, run.bytesLeft);
          this.#uplink.runs.give(run);
        } else list[kept++] = run;
      }
      list.length = kept;
    }
  }

  /** Adds to the range that is given up; ranges that do not touch are told one by one. */
  #gone(now: Ms, stream: number, first: number, count: number): void {
    const isNext =
      this.#goneCount > 0 &&
      this.#goneStream === stream &&
      first === (this.#goneFirst + this.#goneCount) >>> 0;
    if (isNext) {
      this.#goneCount += count;
      return;
    }
    this.#flushGone(now);
    this.#goneStream = stream;
    this.#goneFirst = first;
    this.#goneCount = count;
  }

  #flushGone(now: Ms): void {
    if (this.#goneCount === 0) return;
    const count = this.#goneCount;
    this.#goneCount = 0;
    this.port.sendGone(now, this.#goneStream, this.#goneFirst, count);
  }

  /* ---------------------------------------------------------------- lookups */

  #listOf(sendClass: SendClass): Run[] {
    if (sendClass === SendClass.push) return this.#vital.length > 0 ? this.#vital : this.#video;
    if (sendClass === SendClass.pull) return this.#pull;
    return sendClass === SendClass.burst ? this.#burst : NONE;
  }

  #streamOf(stream: number): OutgoingStream {
    this.#streams ??= [];
    for (const each of this.#streams) if (each.stream === stream) return each;
    const added = new OutgoingStream(stream);
    this.#streams.push(added);
    return added;
  }
}

/** `list` with `run` behind; the shared empty list is never written to. */
function appended(list: Run[], run: Run): Run[] {
  if (list === NONE) return [run];
  list.push(run);
  return list;
}
