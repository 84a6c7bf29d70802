/**
 * One run of the encoder as a viewer plays it: what has come in, the play buffer over it. What is missing is the
 * swarm's to find (peer-swarm.ts). Sessions come and go under it; it stays.
 */
import { serialDiff } from "../../base/serial.ts";
import { type Ms, ms } from "../../base/time.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import { PlayBuffer } from "../../core/play/play-buffer.ts";
import type { Session } from "../../core/session/session.ts";
import type { ClockEntry, FeedbackEntry } from "../../wire/feedback.ts";
import type { FragmentHeader } from "../../wire/packet.ts";
import type { PeerOptions } from "../api.ts";
import { Intake, type IntakeListener, type StreamIdentity } from "../intake.ts";
import { RateMeter } from "../rate-meter.ts";
import type { PeerSwarm } from "./peer-swarm.ts";

/** A viewer keeps what it might pass on, and the group it would start others with. */
const RETAIN_MS = 3000;
const GROUP_MS_MAX = 12_000;
/** Fragments kept: 12 s at 4 Mbit/s, a power of two. */
const FRAGMENTS = 8192;
/** A finished run whose successor has begun is left after this, played out or not. */
const SUCCEEDED_MS = 3000;

export class Playback implements IntakeListener {
  readonly intake: Intake;
  readonly buffer: PlayBuffer;
  readonly meter = new RateMeter();
  /** Index of this run on the current session; 0 = none. */
  #index = 0;
  readonly #swarm: PeerSwarm;
  readonly hot: HotPath;
  #succeededAt: Ms | undefined;

  constructor(hot: HotPath, stream: StreamIdentity, options: PeerOptions, swarm: PeerSwarm) {
    this.#swarm = swarm;
    this.hot = hot;
    const retention = {
      retainMs: RETAIN_MS,
      groupMsMax: GROUP_MS_MAX,
      capacity: options.fragmentsKept ?? FRAGMENTS,
    };
    this.intake = new Intake(hot, stream, retention, this);
    this.buffer = new PlayBuffer(this.intake.index, this.intake.clock, {
      targetMs: options.targetMs,
      minMs: options.targetMsMin,
      maxMs: options.targetMsMax,
      strict: options.strict,
      isCompensated: true,
    });
  }

  /* ---------------------------------------------------------------- sessions */

  /** The session calls this run `index`, and begins it with fragment `first`. */
  bind(session: Session, index: number, first: number): void {
    if (this.#index !== 0) session.sinks.delete(this.#index);
    this.#index = index;
    if (this.#succeededAt === undefined) this.buffer.handleEnded(undefined, first);
    this.buffer.handleStart(first);
    session.sinks.set(index, this.intake);
  }

  unbind(session: Session): void {
    session.sinks.delete(this.#index);
    this.#index = 0;
  }

  /** Index of this run on the edge's session; 0 = none. */
  get edgeIndex(): number {
    return this.#index;
  }

  /** The first fragment of sub-stream `k` of `subStreams` that is wanted and missing. */
  firstMissing(k: number, subStreams: number): number {
    const { index } = this.intake;
    const from = this.buffer.wantedFrom();
    let number = (from + ((k - (from % subStreams) + subStreams) % subStreams)) >>> 0;
    for (let i = 0; i < FRAGMENTS / subStreams; i++) {
      if (serialDiff(index.next(), number) <= 0) return number;
      if (this.hot.fragmentSlot(index.store, number) === 0) return number;
      number = (number + subStreams) >>> 0;
    }
    return number;
  }

  handleClock(now: Ms, session: Session, entry: ClockEntry): void {
    if (entry.stream !== this.#index) return;
    const { clock, index } = this.intake;
    clock.told(now, entry.captureOffsetMs, entry.uncertaintyMs, session.clock);
    this.buffer.edgeRttMs = session.srttMs();
    index.handleFrontier(ms(now - session.srttMs() / 2), entry.frontier);
  }

  handleEnded(now: Ms, index: number, next: number): void {
    if (index === this.#index) this.buffer.handleEnded(now, next);
  }

  /** A newer run has begun: this one only has its rest to play. */
  handleSucceeded(now: Ms): void {
    this.#succeededAt ??= now;
    this.buffer.handleEnded(now, this.intake.index.next());
  }

  /* ---------------------------------------------------------------- media */

  handleFresh(
    now: Ms,
    _intake: Intake,
    header: FragmentHeader,
    bytes: number,
    from: Session,
  ): void {
    this.meter.count(now, bytes);
    this.buffer.handleFragment(now, header);
    this.#swarm.handleFresh(now, this, header, bytes, from);
  }

  handleWhole(now: Ms, _intake: Intake, first: number): void {
    this.buffer.handleSegment(now, first);
  }

  nextDue(): Ms {
    return this.buffer.nextDue();
  }

  /** Ended and played out. */
  isFinished(now: Ms): boolean {
    return this.buffer.isFinished(now);
  }

  /** Finished, or held on to long enough while its successor waits. */
  isOver(now: Ms): boolean {
    const since = this.#succeededAt;
    return this.isFinished(now) || (since !== undefined && now - since > SUCCEEDED_MS);
  }

  tick(now: Ms): void {
    this.intake.index.evict(now);
  }

  /** With an ACK if one leaves within `waitMs`. */
  sendFeedback(now: Ms, session: Session, waitMs: number): void {
    if (this.#index !== 0) session.sendFeedback(now, [this.feedback(now, this.#index)], waitMs);
  }

  /** What whoever sends under `stream` should know of our play point. */
  feedback(now: Ms, stream: number): FeedbackEntry {
    return {
      stream,
      playOutOffsetMs: this.buffer.playoutMs(now),
      uncertaintyMs: this.intake.clock.ready ? this.intake.clock.uncertaintyMs(now) : 0xffff,
      next: this.buffer.wantedFrom(),
      bytesPerSecond: this.meter.bytesPerSecond(now),
    };
  }
}
