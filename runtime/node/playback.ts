/**
 * One run of the encoder as a viewer plays it: what has come in, the play buffer over it, and the requests for what is
 * missing. Sessions come and go under it; it stays.
 */
import { type Ms, ms } from "../base/time.ts";
import type { HotPath } from "../core/hot-path.ts";
import { type MissingRange, PlayBuffer } from "../core/play-buffer.ts";
import type { Session } from "../core/session.ts";
import { type AnswerPacket, type ClockEntry, AnswerCode, RequestFlag } from "../wire/feedback.ts";
import type { FragmentHeader } from "../wire/packet.ts";
import type { PeerOptions } from "./api.ts";
import { Intake, type IntakeListener, type StreamIdentity } from "./intake.ts";
import { RateMeter } from "./rate-meter.ts";

/** A viewer keeps what it might pass on, and the group it would start others with. */
const RETAIN_MS = 3000;
const GROUP_MS_MAX = 12_000;
/** Fragments kept: 12 s at 4 Mbit/s, a power of two. */
const FRAGMENTS = 8192;
/** Ranges of one request. */
const RANGES_MAX = 32;
/** Holes remembered as asked for. */
const ASKED_MAX = 4096;
/** Between two requests for the same fragment at least this, beyond the RTT. */
const ASK_AGAIN_MS = 20;
/** A finished run whose successor has begun is left after this, played out or not. */
const SUCCEEDED_MS = 3000;

export class Playback implements IntakeListener {
  readonly intake: Intake;
  readonly buffer: PlayBuffer;
  readonly meter = new RateMeter();
  /** Index of this run on the current session; 0 = none. */
  #index = 0;
  /** When a missing fragment may be asked for (again); Infinity = never, it is gone. */
  readonly #askAt = new Map<number, number>();
  #succeededAt: Ms | undefined;

  constructor(hot: HotPath, stream: StreamIdentity, options: PeerOptions) {
    const retention = { retainMs: RETAIN_MS, groupMsMax: GROUP_MS_MAX, capacity: FRAGMENTS };
    this.intake = new Intake(hot, stream, retention, this);
    this.buffer = new PlayBuffer(this.intake.index, this.intake.clock, {
      targetMs: options.targetMs,
      minMs: options.targetMsMin,
      maxMs: options.targetMsMax,
      strict: options.strict,
    });
  }

  /* ---------------------------------------------------------------- sessions */

  /** The session calls this run `index`, and begins it with fragment `first`. */
  bind(session: Session, index: number, first: number): void {
    if (this.#index !== 0) session.sinks.delete(this.#index);
    this.#index = index;
    this.buffer.handleStart(first);
    session.sinks.set(index, this.intake);
  }

  unbind(session: Session): void {
    session.sinks.delete(this.#index);
    this.#index = 0;
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

  handleFresh(now: Ms, _intake: Intake, header: FragmentHeader, bytes: number): void {
    this.meter.count(now, bytes);
    this.#askAt.delete(header.number);
    this.buffer.handleFragment(now, header);
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
    if (this.#askAt.size <= ASKED_MAX) return;
    for (const number of this.#askAt.keys()) {
      if (this.#askAt.size <= ASKED_MAX / 2) return;
      this.#askAt.delete(number);
    }
  }

  /* ---------------------------------------------------------------- requests */

  /** Asks the edge for what is urgent: its own repairs should have come by now. */
  askForHoles(now: Ms, session: Session): void {
    if (this.#index === 0) return;
    const ranges: { first: number; count: number }[] = [];
    for (const range of this.buffer.holesToAsk(now, RANGES_MAX)) {
      if (range.zone === "compensate") this.#collect(now, session, range, ranges);
      if (ranges.length >= RANGES_MAX) break;
    }
    if (ranges.length === 0) return;
    session.sendRequest(now, { stream: this.#index, flags: RequestFlag.urgent, ranges });
  }

  #collect(
    now: Ms,
    session: Session,
    range: MissingRange,
    ranges: { first: number; count: number }[],
  ): void {
    const again = now + session.srttMs() + ASK_AGAIN_MS;
    for (let i = 0; i < range.count && ranges.length < RANGES_MAX; i++) {
      const number = (range.first + i) >>> 0;
      if ((this.#askAt.get(number) ?? 0) > now) continue;
      this.#askAt.set(number, again);
      const last = ranges[ranges.length - 1];
      if (last !== undefined && (last.first + last.count) >>> 0 === number) last.count++;
      else ranges.push({ first: number, count: 1 });
    }
  }

  handleAnswer(now: Ms, answer: AnswerPacket): void {
    if (answer.stream !== this.#index) return;
    const at = answer.code === AnswerCode.gone ? Number.POSITIVE_INFINITY : now + answer.retryMs;
    for (const { first, count } of answer.ranges) {
      if (answer.code === AnswerCode.gone) this.buffer.handleGone(first, count);
      for (let i = 0; i < Math.min(count, ASKED_MAX); i++) this.#askAt.set((first + i) >>> 0, at);
    }
  }

  sendFeedback(now: Ms, session: Session): void {
    if (this.#index === 0) return;
    session.sendFeedback(now, [
      {
        stream: this.#index,
        playOutOffsetMs: this.buffer.playoutMs(now),
        uncertaintyMs: this.intake.clock.ready ? this.intake.clock.uncertaintyMs(now) : 0xffff,
        next: this.buffer.wantedFrom(),
        bytesPerSecond: this.meter.bytesPerSecond(now),
      },
    ]);
  }
}
