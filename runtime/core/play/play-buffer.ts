/**
 * The play buffer of one stream epoch: a window of time before the play point, out of which frames
 * come when they are due, in the order of their sequence numbers. It never waits for what is
 * missing once something after it is due in time:
 *
 *   due in time           handed on at its play time; what is missing before it is skipped for good
 *   whole, but late       handed on at once if nothing is missing before it, else after a while: for the decoder only
 *   a reference is lost   frames that need it are handed on as damaged (`strict`: kept back until the next key frame)
 *
 * It starts at a group: the play point is live − target at once; what lies before it comes out for the decoder only.
 */
import { serialDiff } from "../../base/serial.ts";
import { type Ms, ms, NEVER } from "../../base/time.ts";
import { FrameKind, type MediaFrame } from "../../wire/frame.ts";
import { flagPhase, Phase, type SegmentHeader } from "../../wire/segment.ts";
import type { FragmentPlace, SegmentIndex } from "../segments/segment-index.ts";
import type { CaptureClock } from "../time/clock-estimate.ts";
import { DecoderState, isHead } from "./play-buffer-decoder.ts";
import { PlayFigures } from "./play-buffer-figures.ts";
import { type MissingRange, PlayZones } from "./play-buffer-holes.ts";
import { LeadIn } from "./play-buffer-lead-in.ts";
import { PlayQueue, type Waiting } from "./play-buffer-queue.ts";
import { PlayTimeline } from "./play-buffer-timeline.ts";

export type { MissingRange } from "./play-buffer-holes.ts";

export interface PlayBufferOptions {
  /** Play-out delay to start with, ms; adapted between the bounds. */
  readonly targetMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** Urgent requests are answered by somebody: see TimelineOptions. */
  readonly isCompensated?: boolean;
  /** After a lost reference wait for the next key frame. */
  readonly strict: boolean;
}

/** A frame whose time has come. The object is new, and so is the body. */
export interface PlayedFrame {
  readonly frame: MediaFrame;
  readonly sequence: number;
  /** In the local clock. */
  readonly capturedAt: Ms;
  /** Its play time had passed when it came: for the decoder only. */
  readonly decodeOnly: boolean;
  /** A frame it needs was lost. */
  readonly damaged: boolean;
}

/** An urgent request takes its round trip and this. */
const ANSWER_MARGIN_MS = 20;
/** Without a capture clock the play point goes by arrivals, after this long. */
const CLOCK_WAIT_MS = 1000;
/**
 * Silence of this length is an outage that no play buffer is meant to hide: the backlog says
 * nothing of usual lags.
 */
const OUTAGE_MS = 1000;
/**
 * A frame handed on this much after its due time was held up by what was missing before it: it is
 * late.
 */
const HELD_UP_MS = 100;
/** Due this soon counts as due: while one waits for a frame, the play point slides by so much. */
const GRAIN_MS = 0.5;
/** After the end is known, how long missing frames are waited for beyond the play-out delay. */
const END_WAIT_MS = 200;

export class PlayBuffer {
  readonly #index: SegmentIndex;
  readonly #clock: CaptureClock;
  readonly #options: PlayBufferOptions;
  readonly #timeline: PlayTimeline;
  readonly #zones: PlayZones;
  readonly #figures = new PlayFigures();
  readonly #queue: PlayQueue;
  #announced: number | undefined;
  #firstAt: Ms = NEVER;
  /*
   * Next fragment to play, undefined until started; sequence number and media time of what was
   * played last.
   */
  #cursor: number | undefined;
  #lastSequence = 0;
  #lastMedia = Number.NaN;
  readonly #leadIn = new LeadIn();
  readonly #decoder = new DecoderState();
  #hearsAt: Ms = ms(Number.NEGATIVE_INFINITY);
  /** Wire flags of the fragment that came last. */
  #lastFlags = 0;
  #outageEnd: Ms = ms(Number.NEGATIVE_INFINITY);
  #endedAt: Ms | undefined;
  #endNext = 0;
  /* What `nextDue` says until something changes it; undefined = to be worked out. */
  #due: Ms | undefined;

  constructor(index: SegmentIndex, clock: CaptureClock, options: PlayBufferOptions) {
    this.#index = index;
    this.#clock = clock;
    this.#options = options;
    this.#timeline = new PlayTimeline(clock, options);
    this.#queue = new PlayQueue(this.#timeline);
    this.#zones = new PlayZones(index);
  }

  /* ---------------------------------------------------------------- input */

  /** The upstream says from which fragment it sends the group to start with. */
  handleStart(first: number): void {
    this.#announced = first;
    this.#due = undefined;
  }

  /** A fragment came in fresh (after `index.insert`). */
  handleFragment(now: Ms, place: FragmentPlace): void {
    if (now - this.#hearsAt >= OUTAGE_MS && this.isStarted) this.#outageEnd = now;
    this.#hearsAt = now;
    this.#lastFlags = place.flags;
    this.#zones.handleFragment(now, place);
  }

  /** The segment that begins with `first` is whole. */
  handleSegment(now: Ms, first: number): void {
    const segment = this.#index.segment(first);
    const header = segment?.header;
    if (segment === undefined || header === undefined) return;
    this.#due = undefined;
    if (this.#firstAt === NEVER) this.#firstAt = now;
    const isPassed = this.#cursor !== undefined && serialDiff(first, this.#cursor) < 0;
    const before = this.#queue.mediaBefore(first);
    const after = Number.isNaN(before) ? this.#lastMedia : before;
    /* What has been passed already is not held back by what was played since. */
    const previous = isPassed ? Number.NaN : after;
    const media = this.#timeline.mediaOf(now, header, previous);
    /* What was asked for because its time was near is no measure of how long things take, if it came in time. */
    const isAsked = flagPhase(this.#lastFlags) === Phase.compensation;
    const isTelling = !isAsked || (this.#timeline.isSet && now > this.#timeline.playAt(media));
    const isLive = isTelling && this.#isLive(now, segment.flags, header);
    this.#timeline.handleWhole(now, media, isLive);
    if (isPassed) return;
    const { end, isGroupStart } = segment;
    const isBurst = flagPhase(segment.flags) === Phase.start;
    if (isBurst) this.#leadIn.handleBurst(now);
    this.#queue.add({ first, end, isGroupStart, isBurst, header, media, wholeAt: now });
    if (!this.isStarted) this.#queue.dropBefore(this.#index.oldest());
  }

  /** Fragments [first, first + count) will not come: nothing waits for them. */
  handleGone(first: number, count: number): void {
    this.#zones.handleGone(first, count);
    this.#passGone();
    this.#due = undefined;
  }

  /** The epoch is over at fragment `next`: what is left is played out. `now` undefined: it goes on after all. */
  handleEnded(now: Ms | undefined, next: number): void {
    this.#endedAt = now === undefined ? undefined : (this.#endedAt ?? now);
    this.#endNext = next;
    this.#due = undefined;
  }

  /** RTT to whoever answers compensation, ms: how early urgent requests must go. */
  set edgeRttMs(value: number) {
    this.#zones.edgeRttMs = value;
    this.#timeline.answerMs = value + ANSWER_MARGIN_MS;
  }

  /* ---------------------------------------------------------------- output */

  /** The next frame due at `now`, until undefined. */
  pollFrame(now: Ms): PlayedFrame | undefined {
    this.#due = undefined;
    this.#timeline.advance(now);
    if (this.#cursor === undefined && !this.#start(now)) return undefined;
    const soon = now + GRAIN_MS;
    while (this.#queue.readyAt(this.#cursor as number, this.#leadIn.waitsUntil()) <= soon) {
      const played = this.#handOn(now, this.#queue.shift() as Waiting);
      if (played !== undefined) return played;
    }
    return undefined;
  }

  /** Whether `pollFrame` may have something: cheap, for those who ask at every turn. */
  isDue(now: Ms): boolean {
    return this.nextDue() <= now + GRAIN_MS;
  }

  /**
   * When `pollFrame` has something next; `NEVER` when only a segment (or the capture clock) can
   * change that.
   */
  nextDue(): Ms {
    if (!this.#timeline.isSet) {
      const end = this.#endsAt();
      return ms(Math.min(end, this.#clock.ready ? this.#firstAt : this.#firstAt + CLOCK_WAIT_MS));
    }
    this.#due ??= this.#workOutDue();
    return this.#due;
  }

  #workOutDue(): Ms {
    const end = this.#endsAt();
    if (this.#cursor !== undefined) {
      return ms(Math.min(end, this.#queue.readyAt(this.#cursor, this.#leadIn.waitsUntil())));
    }
    return ms(Math.min(end, this.#queue.seekGroup(ms(Number.NEGATIVE_INFINITY))));
  }

  /** Frames given up since the last call. */
  takeSkipped(): number {
    return this.#figures.takeSkipped();
  }

  /** Whether the first frame was handed out. */
  get isStarted(): boolean {
    return this.#cursor !== undefined;
  }

  /** Ended, and nothing more will come out. */
  isFinished(now: Ms): boolean {
    if (this.#endedAt === undefined) return false;
    return this.#hasReachedEnd() || now >= this.#endsAt();
  }

  /** First fragment that is still wanted: FEEDBACK's `wanted`. */
  wantedFrom(): number {
    return this.#cursor ?? this.#announced ?? 0;
  }

  /** What is missing, by zone: at most `limit` ranges. The lead-in is its sender's to repair. */
  holesToAsk(now: Ms, limit: number): readonly MissingRange[] {
    const from = this.#cursor ?? this.#announced;
    if (from === undefined || !this.#timeline.isSet) return [];
    return this.#zones.missing(now, from, this.playoutMs(now), limit);
  }

  /* ---------------------------------------------------------------- figures */

  /** Capture → play-out at present, ms; slides towards the target. */
  playoutMs(now: Ms): number {
    return this.#timeline.playoutMs(now);
  }

  get targetMs(): number {
    return this.#timeline.targetMs;
  }

  /** Ages at which pull and compensation begin, ms. */
  get pullFromMs(): number {
    return this.#zones.pullFromMs(this.#timeline.playoutMs());
  }

  get compensateFromMs(): number {
    return this.#zones.compensateFromMs(this.#timeline.playoutMs());
  }

  get framesPlayed(): number {
    return this.#figures.framesPlayed;
  }

  /** Due, but late, absent, or (`strict`) without a reference. */
  get framesSkipped(): number {
    return this.#figures.framesSkipped;
  }

  /** Handed on although a frame they need was lost. */
  get framesDamaged(): number {
    return this.#figures.framesDamaged;
  }

  /** Capture → play-out of frames played, smoothed, and the greatest, ms. */
  get delayMs(): number {
    return this.#figures.delayMs;
  }

  get delayMsMax(): number {
    return this.#figures.delayMsMax;
  }

  /**
   * Time frozen more than 100 ms past the next frame's due time, a standstill that lasts included.
   */
  stalledMs(now: Ms): number {
    const isWaiting =
      this.#cursor !== undefined && serialDiff(this.#index.frontier(), this.#cursor) > 0;
    return this.#figures.stalledMs(now, isWaiting, now - this.#timeline.mediaAt(now));
  }

  /** Media whole without a gap ahead of the play point, ms. */
  fillMs(now: Ms): number {
    if (this.#cursor === undefined) return 0;
    return Math.max(0, this.#queue.mediaWhole(this.#cursor) - this.#timeline.mediaAt(now));
  }

  /** Fragments known to be missing between the play point and the frontier. */
  holeCount(): number {
    const from = this.#cursor;
    return from === undefined ? 0 : this.#index.holes(from, this.#index.frontier(), 4096);
  }

  /* ---------------------------------------------------------------- play */

  #start(now: Ms): boolean {
    if (!this.#timeline.isSet) {
      if (!this.#timeline.start(now, now - this.#firstAt >= CLOCK_WAIT_MS)) return false;
    }
    if (this.#queue.seekGroup(now) > now) return false;
    const opener = this.#queue.head as Waiting;
    this.#cursor = opener.first;
    this.#lastSequence = (opener.header.sequence - 1) >>> 0;
    this.#leadIn.start(now, this.#timeline.mediaAt(now));
    return true;
  }

  #handOn(now: Ms, next: Waiting): PlayedFrame | undefined {
    const { header, media } = next;
    const { kind, sequence } = header;
    const missing = serialDiff(sequence, this.#lastSequence) - 1;
    const due = this.#timeline.playAt(media);
    const isLeadIn = this.#leadIn.covers(now, media, this.#timeline.mediaAt(now));
    if (missing > 0) {
      this.#figures.gap(this.#lastMedia);
      if (!isLeadIn) this.#figures.skipped(missing);
    }
    this.#cursor = next.end;
    this.#lastSequence = sequence;
    this.#lastMedia = media;
    this.#passGone();
    const damaged = this.#decoder.isDamaged(header);
    const body = this.#index.takeBody(next.first);
    const isKept = damaged && this.#options.strict;
    if (kind === FrameKind.key || kind === FrameKind.inter) {
      this.#decoder.remember(sequence, body !== undefined && !damaged);
    }
    if (isHead(kind)) {
      if (body === undefined || !this.#decoder.takeHead(kind, body)) return undefined;
    } else if (body === undefined || isKept) {
      this.#figures.gap(media);
      if (!isLeadIn) this.#figures.skipped(1);
      return undefined;
    }
    const decodeOnly = isLeadIn || next.wholeAt > due || now - due > HELD_UP_MS;
    const capturedAt = this.#capturedAt(now, header, media);
    if (!isHead(kind)) this.#count(now, next, isLeadIn, decodeOnly, damaged, now - capturedAt);
    const { dtsMs, ptsOffsetMs } = header;
    const frame = { kind, dtsMs, ptsOffsetMs, body };
    return { frame, sequence, capturedAt, decodeOnly, damaged };
  }

  #count(
    now: Ms,
    next: Waiting,
    isLeadIn: boolean,
    isLate: boolean,
    damaged: boolean,
    delayMs: number,
  ): void {
    const isVideo = next.header.kind !== FrameKind.audio;
    if (damaged) this.#figures.framesDamaged++;
    if (isLeadIn) return;
    if (isLate) this.#figures.skipped(1);
    else this.#figures.played(delayMs);
    const offset = now - this.#timeline.mediaAt(now);
    this.#figures.shown(now, isVideo, next.media, offset);
  }

  #capturedAt(now: Ms, header: SegmentHeader, media: number): Ms {
    if (this.#clock.ready) return this.#clock.toLocal(header.captureUnits, now);
    return ms(this.#timeline.playAt(media) - this.#timeline.targetMs);
  }

  /* Steps over what will never come, to the end of the segment it belongs to. */
  #passGone(): void {
    while (this.#cursor !== undefined && this.#queue.head?.first !== this.#cursor) {
      const gone = this.#zones.goneUpTo(this.#cursor);
      if (gone === this.#cursor) break;
      const broken = this.#index.segmentOf((gone - 1) >>> 0);
      this.#cursor = broken !== undefined && broken.wholeAt === NEVER ? broken.end : gone;
    }
    if (this.#cursor !== undefined) this.#zones.dropBefore(this.#cursor);
  }

  /* ---------------------------------------------------------------- helpers */

  /* Whether a segment's lag says something of usual deliveries. */
  #isLive(now: Ms, flags: number, header: SegmentHeader): boolean {
    if (flagPhase(flags) === Phase.start) return false;
    if (!this.#clock.ready) return true;
    return this.#clock.toLocal(header.captureUnits, now) > this.#outageEnd;
  }

  #hasReachedEnd(): boolean {
    return this.#cursor !== undefined && serialDiff(this.#cursor, this.#endNext) >= 0;
  }

  #endsAt(): Ms {
    if (this.#endedAt === undefined) return NEVER;
    return ms(this.#endedAt + this.playoutMs(this.#endedAt) + END_WAIT_MS);
  }
}
