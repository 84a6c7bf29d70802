/**
 * One session's queue of what is to be sent, and its repairs. It says what goes next and what is given up; the
 * `Uplink` above all queues says when. Thousands of queues exist and most are idle: all but a few fields is made on
 * first use.
 */
import { assert } from "../../base/assert.ts";
import { type Ms, ms, NEVER } from "../../base/time.ts";
import { PathControl } from "./rate-control-path.ts";
import { Backlog, gather } from "./send-queue-backlog.ts";
import { newRepair, type Repair, Repairs } from "./send-queue-repairs.ts";
import { DATA_HEAD_BYTES, type Run } from "./send-queue-run.ts";
import type { OutgoingStream } from "./send-queue-stream.ts";
import {
  type AckSample,
  fillFragment,
  type QueuedSegment,
  SendClass,
  type SendItem,
  type SendPort,
  Sent,
  type Settler,
} from "./send-queue-types.ts";
import type { Uplink } from "./uplink.ts";

export * from "./send-queue-types.ts";

/** Shedding is looked at when the backlog takes more than this share of the time to the deadline. */
const BACKLOG_SHARE = 0.1;
/** A full packet window or outbox is tried again after this, if no ACK comes first. */
const FULL_RETRY_MS = 2;

export class SendQueue {
  /* Owned by the uplink: which rings it is in, and when it is woken. */
  ringBits = 0;
  heapIndex = -1;
  heapDeadline = 0;
  /** Interval of the uplink in which it last gave a delay sample, and where. */
  sharedInterval = -1;
  sharedAt = 0;
  isClosed = false;
  /**
   * One of many thin sessions of a peer: what it sends and hears is too little to learn a rate from, the node's uplink
   * alone is (DESIGN §4).
   */
  isThin = false;
  /** See `Backlog.takesParts`. */
  takesParts = false;

  /** Repairs instead of this queue, when there is one. */
  settler: Settler | undefined;

  readonly port: SendPort;
  readonly #uplink: Uplink;
  #path: PathControl | undefined;
  #backlog: Backlog | undefined;
  #repairs: Repairs | undefined;
  /** Not to be asked before this time (full window). */
  #fullUntil = 0;

  constructor(port: SendPort, uplink: Uplink) {
    this.port = port;
    this.#uplink = uplink;
  }

  /* ---------------------------------------------------------------- figures */

  /** UDP payload bytes waiting. */
  get queuedBytes(): number {
    return this.#backlog?.bytes ?? 0;
  }

  /** Nothing waits, and no loss is being repaired. */
  get isIdle(): boolean {
    return this.queuedBytes === 0 && this.#repairs?.isEmpty !== false;
  }

  /** Somebody wants to know what arrives: a loss is being repaired, or a settler does so itself. */
  get waitsForAcks(): boolean {
    return this.settler !== undefined || this.#repairs?.isEmpty === false;
  }

  /** bit/s this session may use; 0 = not limited so far. */
  get rateBps(): number {
    return this.#path?.limitBps ?? 0;
  }

  /** Usual time between ACKs that tell a delay, ms; 0 = none did. */
  get ackGapMs(): number {
    return this.#path?.ackGapMs ?? 0;
  }

  /** Segments, or pieces of them, that were given up. */
  get segmentsDropped(): number {
    return this.#backlog?.segmentsDropped ?? 0;
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
    if (this.#mayPass(now, sendClass, deadlineMs)) {
      const item = this.#uplink.items[0] as SendItem;
      fillFragment(item, stream, number, index, total, flags, bytes, deadlineMs);
      if (this.#pass(now, item)) return;
    }
    const run = this.#uplink.runs.take();
    run.setFragment(stream, number, index, total, flags, bytes, deadlineMs, sendClass);
    this.#enqueue(now, run);
  }

  /**
   * A push on a thin session that nothing stands before goes at once: nothing would be decided by queueing it, since
   * its loss is its receiver's to repair, and a super node passes on every fragment so many times.
   */
  #mayPass(now: Ms, sendClass: SendClass, deadlineMs: number): boolean {
    if (!this.isThin || !this.takesParts || sendClass !== SendClass.push) return false;
    if (this.isClosed || this.queuedBytes > 0 || !this.#uplink.mayPass(now)) return false;
    return now + this.#oneWayMs(now) <= deadlineMs;
  }

  /** False when it could not leave and is to be queued after all. */
  #pass(now: Ms, item: SendItem): boolean {
    const sent = this.port.sendFragment(now, item);
    if (sent === Sent.full) return false;
    this.#uplink.noteDemand(now, item.bytes);
    if (sent > 0) this.#uplink.notePassed(now, sent);
    else this.port.sendGone(now, item.stream, item.number, 1);
    return true;
  }

  #enqueue(now: Ms, run: Run): void {
    assert(run.sendClass !== SendClass.repair, "send queue: repairs are its own affair");
    if (run.isDone || this.isClosed) return this.#uplink.runs.give(run);
    const { sendClass, bytesLeft, deadlineMs } = run;
    if (!this.isThin) this.path.rate.noteDemand(now, bytesLeft);
    this.#uplink.noteDemand(now, bytesLeft);
    this.#backlog ??= new Backlog(this.port, this.#uplink.runs);
    const backlog = this.#backlog;
    const stream = backlog.streamOf(run.stream);
    backlog.takesParts = this.takesParts;
    const isOrphan = !this.takesParts && stream.isOrphan(run);
    backlog.add(now, run);
    if (sendClass === SendClass.push && (isOrphan || this.#isBehind(now, deadlineMs))) {
      this.#shed(now);
    }
    backlog.tellGone(now);
    this.#uplink.ready(this, sendClass);
  }

  /** Whether a fragment of the segment at `first` may go past the queue: nothing waits, is paced or was given up. */
  isClear(now: Ms, stream: number, first: number): boolean {
    if (this.isClosed || this.queuedBytes > 0 || now < this.#fullUntil) return false;
    if (!this.isThin && !this.path.rate.allows(now)) return false;
    if (this.takesParts || this.#backlog === undefined) return true;
    return this.#backlog.streamOf(stream).isIntact(first);
  }

  /** Notes `bytes` of UDP payload that go past the queue (fan-out.ts); what of is to be noted in what it returns. */
  noteDirect(now: Ms, stream: number, bytes: number): OutgoingStream {
    const { rate } = this.path;
    rate.noteDemand(now, bytes);
    rate.noteSent(now, bytes);
    this.#backlog ??= new Backlog(this.port, this.#uplink.runs);
    return this.#backlog.streamOf(stream);
  }

  /** A packet with this fragment was acknowledged, perhaps late, after it was declared lost. */
  handleAcked(stream: number, number: number): void {
    if (this.settler !== undefined) return this.settler.handleAcked(stream, number);
    const repairs = this.#repairs;
    if (repairs === undefined || repairs.isEmpty) return;
    const repair = repairs.find(stream, number);
    if (repair !== undefined) repairs.remove(repair);
  }

  /** The packet that carried this fragment as `attempt` is lost; `bytes` are its UDP payload bytes. */
  handleLost(now: Ms, stream: number, number: number, attempt: number, bytes: number): void {
    const backlog = this.#backlog;
    if (backlog === undefined || this.isClosed) return;
    if (this.settler !== undefined) return this.settler.handleLost(now, stream, number);
    this.#repairs ??= new Repairs();
    let repair = this.#repairs.find(stream, number);
    if (repair === undefined) {
      /* A copy's loss without a record: another copy has arrived, or it was given up. */
      if (attempt > 0) return;
      const bodyBytes = Math.max(1, bytes - DATA_HEAD_BYTES);
      repair = newRepair(backlog.streamOf(stream), number, bodyBytes);
      if (repair === undefined) return;
      this.#repairs.add(repair);
    } else {
      if (repair.attempt !== attempt || repair.outstanding === 0) return;
      repair.outstanding--;
      if (repair.outstanding > 0 || repair.copiesLeft > 0) return;
    }
    const copies = this.port.repairCopies(now, repair.deadlineMs);
    if (copies <= 0) {
      this.#repairs.remove(repair);
      backlog.gone(now, stream, number, 1);
      return backlog.tellGone(now);
    }
    if (copies > 1) repair.sendClass = SendClass.repair;
    this.#repairs.arm(now, repair, copies, this.#oneWayMs(now));
    this.#uplink.ready(this, repair.sendClass);
  }

  /** The receiver has it from elsewhere: nothing more of it is sent, unless it stands amid a longer run. */
  handleHave(stream: number, number: number): void {
    this.handleAcked(stream, number);
    if (this.queuedBytes === 0) return;
    this.#backlog?.remove((run) => {
      return run.stream === stream && run.isSingle && (run.first + run.next) >>> 0 === number;
    });
  }

  /** The receiver wants nothing of this stream below `number` any more. */
  handleFrontier(stream: number, number: number): void {
    if (this.queuedBytes > 0) {
      this.#backlog?.remove((run) => {
        return run.stream === stream && ((run.first + run.end - number) | 0) <= 0;
      });
    }
    if (this.#repairs === undefined || this.#repairs.isEmpty) return;
    this.#repairs.removeWhere((each) => each.stream === stream && ((each.number - number) | 0) < 0);
  }

  /** Forgets a stream: unsubscribed, or its index was given to another epoch. */
  dropStream(stream: number): void {
    this.#backlog?.forgetStream(stream);
    this.#repairs?.removeWhere((repair) => repair.stream === stream);
  }

  /** Leaves the uplink. What is enqueued from now on is dropped without a word. */
  close(): void {
    this.#backlog?.remove(() => true);
    this.#repairs = undefined;
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
    if (this.#path === undefined && !this.isThin) return Number.NaN;
    this.#fullUntil = 0;
    return this.path.handleAck(now, sample, this.port.srttMs(), this.port.minRttMs(), sharedMs);
  }

  /** When something of the class may go: past times mean now; NEVER when there is nothing. */
  readyAt(now: Ms, sendClass: SendClass): Ms {
    const list = this.#backlog?.listOf(sendClass);
    let at = 0;
    if (list === undefined || list.length === 0) {
      if (this.#repairs?.hasDue !== true) return NEVER;
      at = this.#repairs.nextAt(sendClass);
      if (at === NEVER) return NEVER;
    }
    const rate = this.isThin ? undefined : this.path.rate;
    if (rate !== undefined && !rate.allows(now) && rate.nextAt > at) at = rate.nextAt;
    return ms(Math.max(at, this.#fullUntil));
  }

  /** Sends one packet of the class: its UDP payload bytes, or `Sent.nothing` (things were dropped), or `Sent.full`. */
  transmit(now: Ms, sendClass: SendClass): number {
    const repairs = this.#repairs;
    const repair = repairs?.hasDue === true ? repairs.next(now, sendClass) : undefined;
    const sent =
      repair === undefined ? this.#transmitRun(now, sendClass) : this.#transmitRepair(now, repair);
    if (sent > 0) {
      if (!this.isThin) this.path.rate.noteSent(now, sent);
    } else if (sent === Sent.full) this.#fullUntil = now + FULL_RETRY_MS;
    else this.#backlog?.tellGone(now);
    return sent;
  }

  #transmitRepair(now: Ms, repair: Repair): number {
    const repairs = this.#repairs as Repairs;
    let sent: number = Sent.nothing;
    if (now + this.#oneWayMs(now) <= repair.deadlineMs) {
      const item = this.#uplink.items[0] as SendItem;
      repairs.fill(item, repair);
      sent = this.port.sendFragment(now, item);
    }
    if (sent > 0) repairs.noteSent(now, repair);
    else if (sent === Sent.nothing) {
      repairs.remove(repair);
      this.#backlog?.gone(now, repair.stream, repair.number, 1);
    }
    return sent;
  }

  #transmitRun(now: Ms, sendClass: SendClass): number {
    const backlog = this.#backlog as Backlog;
    const list = backlog.listOf(sendClass);
    const run = list?.[0];
    if (list === undefined || run === undefined) return Sent.nothing;
    if (!run.hasBegun && list === backlog.video && this.#isBehind(now, run.deadlineMs)) {
      this.#shed(now);
      if (list[0] !== run) return Sent.nothing;
    }
    if (now + this.#oneWayMs(now) > run.deadlineMs) {
      if (list === backlog.video) {
        backlog.doomFirst();
        this.#shed(now);
      } else backlog.drop(now, list);
      return Sent.nothing;
    }
    const items = this.#uplink.items;
    run.fill(items[0] as SendItem);
    const count = run.isSingle ? gather(list, run, items) : 1;
    const sent =
      count === 1
        ? this.port.sendFragment(now, items[0] as SendItem)
        : this.port.sendBundle(now, items, count);
    if (sent >= 0) this.#advance(now, backlog, list, count, sent > 0);
    return sent;
  }

  /** The next fragments of the list's first `count` runs (or of its first) are out, or no longer held. */
  #advance(now: Ms, backlog: Backlog, list: Run[], count: number, isSent: boolean): void {
    for (let i = 0; i < count; i++) {
      const run = list[0] as Run;
      if (isSent) {
        if (!run.hasBegun) backlog.streamOf(run.stream).noteSent(now, run);
      } else backlog.gone(now, run.stream, (run.first + run.next) >>> 0, 1);
      backlog.advance(list);
    }
  }

  /* ---------------------------------------------------------------- time */

  #oneWayMs(now: Ms): number {
    return this.port.minRttMs() / 2 + (this.#path?.queueMsAt(now) ?? 0);
  }

  /** Whether what waits may take so long that shedding has to look at it. */
  #isBehind(now: Ms, deadlineMs: number): boolean {
    const backlog = this.#backlog as Backlog;
    const spareMs = (deadlineMs - now) * BACKLOG_SHARE;
    return (backlog.vitalBytes + backlog.videoBytes) * 8000 > this.#planBps() * spareMs;
  }

  #planBps(): number {
    const { shareBps } = this.#uplink;
    return this.isThin ? shareBps : Math.min(this.path.rate.planBps, shareBps);
  }

  #shed(now: Ms): void {
    const plan = this.#uplink.plan;
    const backlog = this.#backlog as Backlog;
    plan.arrivalMs = now + this.#oneWayMs(now);
    plan.bytesPerMs = (this.#planBps() * (1 - Math.min(this.port.lossRate(), 0.5))) / 8000;
    plan.bytesAhead = backlog.vitalBytes;
    backlog.shed(now, plan);
  }
}
