/**
 * One stream at an edge: its publisher (a session or an encoder in this process), the fragments kept, and the viewers they
 * are pushed to as they arrive, fragment by fragment. Of media the edge reads priorities, group starts and capture times.
 */

import { serialDiff } from "../base/serial.ts";
import { type Ms, ms } from "../base/time.ts";
import type { CaptureClock } from "../core/clock-estimate.ts";
import type { HotPath } from "../core/hot-path.ts";
import type { SegmentIndex } from "../core/segment-index.ts";
import { SendClass } from "../core/send-queue.ts";
import type { Session } from "../core/session.ts";
import { AnswerCode, type FragmentRange, type RequestPacket } from "../wire/feedback.ts";
import { FLAG_RESENT, Phase, withPhase } from "../wire/segment.ts";
import type { StreamIdentity } from "./intake.ts";

/** One run of the encoder as the edge holds it: an `Intake` or an `OwnStream`. */
export interface EpochSource {
  readonly stream: StreamIdentity;
  readonly index: SegmentIndex;
  readonly clock: CaptureClock;
  close(): void;
}

/** A viewer's subscription to this stream. */
export interface Viewer {
  readonly session: Session;
  /** Stream index of the current epoch on that session; 0 = none yet. */
  index: number;
  /** Sub-streams wanted: bit k of K. */
  mask: number;
  k: number;
  /** Capture → play-out at the viewer, ms. */
  playoutMs: number;
  /** Fragments asked for that may still be answered now; refilled with time. */
  tokens: number;
}

export interface SentTotals {
  readonly bytesOut: number;
  readonly packetsLost: number;
  readonly packetsResent: number;
  readonly framesDropped: number;
}

/** Play-out offset assumed before a viewer has told its own. */
const PLAYOUT_MS = 800;
/** What a start burst may take before it is pointless. */
const BURST_MS = 5000;
/** Fragments a viewer may be compensated at once, and per second. */
const REQUEST_TOKENS = 512;
/** Two of a viewer's sub-stream count, for everything in one push. */
const ALL = { mask: 1, k: 1 } as const;

export class EdgeStream {
  readonly name: string;
  readonly #hot: HotPath;
  readonly viewers = new Map<Session, Viewer>();
  source: EpochSource | undefined;
  framesIn = 0;
  bytesIn = 0;
  /** To viewers that have left. */
  readonly #sentBefore = { bytesOut: 0, packetsLost: 0, packetsResent: 0, framesDropped: 0 };

  constructor(hot: HotPath, name: string) {
    this.#hot = hot;
    this.name = name;
  }

  /* ---------------------------------------------------------------- epochs */

  /** A new run of the encoder: viewers learn of it and follow. */
  begin(now: Ms, source: EpochSource): void {
    this.end(now);
    this.source = source;
    for (const viewer of this.viewers.values()) this.#bind(now, viewer);
  }

  /** The run is over; viewers keep their sessions and wait for the next. */
  end(now: Ms): void {
    const source = this.source;
    if (source === undefined) return;
    this.source = undefined;
    for (const viewer of this.viewers.values()) {
      const { session, index } = viewer;
      if (index === 0) continue;
      session.sendControl(now, { t: "ended", index, next: source.index.next() });
      session.queue.dropStream(index);
      session.sources.delete(index);
      viewer.index = 0;
    }
    source.close();
  }

  /* ---------------------------------------------------------------- viewers */

  addViewer(now: Ms, session: Session): void {
    const viewer = {
      session,
      index: 0,
      ...ALL,
      playoutMs: PLAYOUT_MS,
      tokens: REQUEST_TOKENS,
    };
    this.viewers.set(session, viewer);
    if (this.source !== undefined) this.#bind(now, viewer);
  }

  removeViewer(session: Session): boolean {
    if (!this.viewers.delete(session)) return false;
    addSent(this.#sentBefore, session);
    return true;
  }

  /** What was sent to viewers so far, those that left included: it only ever rises. */
  sent(): SentTotals {
    const totals = { ...this.#sentBefore };
    for (const session of this.viewers.keys()) addSent(totals, session);
    return totals;
  }

  /** Tells a viewer of the current epoch and sends it the group to start from. */
  #bind(now: Ms, viewer: Viewer): void {
    const source = this.source as EpochSource;
    const { session } = viewer;
    viewer.index = session.nextStreamIndex();
    session.sources.set(viewer.index, { store: source.index.store });
    const { name, id, epoch } = source.stream;
    const first = source.index.groupStart();
    const next = source.index.next();
    session.sendControl(now, { t: "stream", index: viewer.index, name, id, epoch, first, next });
    this.sendClock(now, viewer);
    for (let number = first; serialDiff(next, number) > 0; number = (number + 1) >>> 0) {
      this.#enqueue(now, viewer, number, SendClass.burst, Phase.start, ms(now + BURST_MS));
    }
  }

  /* ---------------------------------------------------------------- media */

  /** A fragment is here: every viewer of its sub-stream gets it. */
  fanOut(
    now: Ms,
    number: number,
    index: number,
    total: number,
    flags: number,
    bytes: number,
  ): void {
    const source = this.source as EpochSource;
    const captured = source.index.capturedAt(number, now);
    const pushed = withPhase(flags & ~FLAG_RESENT, Phase.push);
    for (const viewer of this.viewers.values()) {
      if (viewer.index === 0 || ((viewer.mask >>> (number % viewer.k)) & 1) === 0) continue;
      viewer.session.queue.enqueueFragment(
        now,
        viewer.index,
        number,
        index,
        total,
        pushed,
        bytes,
        captured + viewer.playoutMs,
        SendClass.push,
      );
    }
  }

  #enqueue(
    now: Ms,
    viewer: Viewer,
    number: number,
    sendClass: SendClass,
    phase: Phase,
    deadline: Ms,
  ): boolean {
    const store = (this.source as EpochSource).index.store;
    const slot = this.#hot.fragmentSlot(store, number);
    if (slot === 0 || !this.#hot.fragmentInfo(store, number)) return false;
    const [index, total, flags] = [this.#hot.out[0], this.#hot.out[1], this.#hot.out[2]];
    viewer.session.queue.enqueueFragment(
      now,
      viewer.index,
      number,
      index as number,
      total as number,
      withPhase((flags as number) & ~FLAG_RESENT, phase),
      this.#hot.payloadLength(slot),
      deadline,
      sendClass,
    );
    return true;
  }

  /** Compensation: what is here is sent, what is not yet or no longer is said so. */
  answer(now: Ms, viewer: Viewer, request: RequestPacket): void {
    const index = this.source?.index;
    if (index === undefined || request.stream !== viewer.index) return;
    const gone: FragmentRange[] = [];
    const notYet: FragmentRange[] = [];
    const refused: FragmentRange[] = [];
    for (const range of request.ranges) {
      for (let i = 0; i < range.count; i++) {
        const number = (range.first + i) >>> 0;
        if (viewer.tokens < 1) {
          refused.push({ first: number, count: range.count - i });
          break;
        }
        viewer.tokens--;
        const deadline = ms(index.capturedAt(number, now) + viewer.playoutMs);
        if (this.#enqueue(now, viewer, number, SendClass.pull, Phase.compensation, deadline)) {
          continue;
        }
        if (serialDiff(number, index.oldest()) < 0) gone.push({ first: number, count: 1 });
        else notYet.push({ first: number, count: 1 });
      }
    }
    const { session } = viewer;
    const stream = viewer.index;
    this.#say(now, session, stream, AnswerCode.gone, 0, gone);
    this.#say(now, session, stream, AnswerCode.notYet, session.srttMs(), notYet);
    this.#say(now, session, stream, AnswerCode.refused, 500, refused);
  }

  #say(
    now: Ms,
    session: Session,
    stream: number,
    code: AnswerCode,
    retryMs: number,
    ranges: readonly FragmentRange[],
  ): void {
    for (let i = 0; i < ranges.length; i += 64) {
      session.sendAnswer(now, { stream, code, retryMs, ranges: ranges.slice(i, i + 64) });
    }
  }

  /* ---------------------------------------------------------------- housekeeping */

  /** Called every `everyMs`. */
  tick(now: Ms, everyMs: number): void {
    this.source?.index.evict(now);
    for (const viewer of this.viewers.values()) {
      viewer.tokens = Math.min(REQUEST_TOKENS, viewer.tokens + (REQUEST_TOKENS * everyMs) / 1000);
    }
  }

  sendClocks(now: Ms): void {
    for (const viewer of this.viewers.values()) this.sendClock(now, viewer);
  }

  sendClock(now: Ms, viewer: Viewer): void {
    const source = this.source;
    if (source === undefined || viewer.index === 0 || !source.clock.ready) return;
    viewer.session.sendClock(now, [
      {
        stream: viewer.index,
        captureOffsetMs: source.clock.offsetMs(now),
        uncertaintyMs: source.clock.uncertaintyMs(now),
        frontier: source.index.next(),
      },
    ]);
  }

  /** The last viewer's play-out offset: until then a repair towards this edge is worth its bytes. */
  playoutMsMax(): number {
    let max = 0;
    for (const viewer of this.viewers.values()) max = Math.max(max, viewer.playoutMs);
    return max === 0 ? PLAYOUT_MS : max;
  }
}

function addSent(totals: { -readonly [K in keyof SentTotals]: number }, session: Session): void {
  totals.bytesOut += session.counters.bytesOut;
  totals.packetsLost += session.counters.packetsLost;
  totals.packetsResent += session.counters.packetsResent;
  totals.framesDropped += session.queue.segmentsDropped;
}
