/**
 * One viewer's figures, from what its node hands on and what was published, by the world's clock.
 * It knows nothing of what the node says of itself.
 */
import { FrameKind, type MediaFrame } from "../../wire/frame.ts";
import type { Published, PublishedLog } from "./published-log.ts";
import type { Tallies } from "./tally.ts";

/** A freeze is noticed once the next frame is this late (DESIGN §8). */
const STALL_MS_MIN = 100;
/** Whoever was here this long without a frame has starved. */
const STARVED_MS = 5000;
/**
 * Words at each end of a body that are compared for every frame; one frame in `WHOLE_EVERY` is
 * compared whole.
 */
const ENDS_BYTES = 16;
const WHOLE_EVERY = 64;

/** Last frame played of a track (picture or sound). */
interface Track {
  number: number;
  atMs: number;
}

export class ViewerMeter {
  readonly joinMs: number;
  readonly #log: PublishedLog;
  readonly #tallies: Tallies;
  #firstMs = -1;
  #firstLive = -1;
  #last = -1;
  #lastDelayMs = 0;
  #lastFrameMs: number;
  readonly #video: Track = { number: -1, atMs: 0 };
  readonly #audio: Track = { number: -1, atMs: 0 };
  /** End of the latest freeze counted: sound and picture frozen together count once. */
  #stalledUntilMs = 0;
  #isConfigured = false;
  /** Longest time without any frame, from the first on. */
  gapMsMax = 0;
  framesPlayed = 0;
  /** What contradicts the publisher, first few in words. */
  readonly faults: string[] = [];
  faultCount = 0;

  constructor(joinMs: number, log: PublishedLog, tallies: Tallies) {
    this.joinMs = joinMs;
    this.#log = log;
    this.#tallies = tallies;
    this.#lastFrameMs = joinMs;
    for (const tally of tallies.at(joinMs)) tally.viewersJoined++;
  }

  get hasStarted(): boolean {
    return this.#firstMs >= 0;
  }

  handleFrame(
    now: number,
    epoch: number,
    frame: MediaFrame,
    decodeOnly: boolean,
    damaged: boolean,
  ): void {
    const entry = this.#log.find(epoch, frame.kind, frame.dtsMs);
    if (entry === undefined)
      return this.#fault(now, `frame ${frame.kind}@${frame.dtsMs} was never published`);
    this.#compare(now, entry, frame);
    if (entry.number < 0) {
      if (frame.kind === FrameKind.videoConfig) this.#isConfigured = true;
      return;
    }
    if (now < entry.atMs) this.#fault(now, `frame ${entry.number} played before its capture`);
    if (entry.number <= this.#last) this.#fault(now, `frame ${entry.number} after ${this.#last}`);
    if (!this.#isConfigured && frame.kind !== FrameKind.audio) {
      this.#fault(now, `picture ${entry.number} without a configuration`);
    }
    if (this.#firstMs < 0) {
      this.#firstMs = now;
      for (const tally of this.#tallies.at(this.joinMs)) tally.firstFrame.add(now - this.joinMs);
    } else this.gapMsMax = Math.max(this.gapMsMax, now - this.#lastFrameMs);
    this.#lastFrameMs = now;
    this.framesPlayed++;
    const isLate = decodeOnly && this.#firstLive >= 0;
    /* Too late to be seen: skipped, and so is what was missing before it; the picture has not moved on. */
    if (isLate) this.#countSkipped(now, entry.number - this.#last);
    else if (!decodeOnly) this.#count(now, entry, damaged);
    this.#last = entry.number;
    if (isLate) return;
    const track = frame.kind === FrameKind.audio ? this.#audio : this.#video;
    track.number = entry.number;
    track.atMs = now;
  }

  /** The viewer leaves, or the run ends. */
  finish(now: number): void {
    if (this.#firstMs < 0) {
      if (now - this.joinMs < STARVED_MS) return;
      for (const tally of this.#tallies.at(this.joinMs)) tally.viewersNeverStarted++;
      this.#tallies.addSpan("watchedMs", this.joinMs, now);
      this.#tallies.addSpan("stalledMs", this.joinMs, now);
      return;
    }
    this.gapMsMax = Math.max(this.gapMsMax, now - this.#lastFrameMs);
    this.#tallies.addSpan("watchedMs", this.#firstMs, now);
    if (this.#firstLive < 0) return;
    /* What should have been played by now, had the delay stayed as it was. */
    const due = this.#log.countBefore(now - this.#lastDelayMs - STALL_MS_MIN);
    const missing = due - this.#last - 1;
    if (missing > 0) this.#countSkipped(now, missing);
    for (const track of [this.#video, this.#audio]) {
      const next = track.number < 0 ? undefined : this.#log.nextInTrack(track.number);
      if (next !== undefined) this.#countStall(track, next, now);
    }
  }

  #count(now: number, entry: Published, damaged: boolean): void {
    const { frame, number, atMs } = entry;
    const delayMs = now - atMs;
    if (this.#firstLive < 0) this.#firstLive = number;
    else if (number > this.#last + 1) this.#countSkipped(now, number - this.#last - 1);
    for (const tally of this.#tallies.at(now)) {
      tally.framesDue++;
      tally.delay.add(delayMs);
      if (damaged) tally.framesSkipped++;
      else tally.demandBytes += frame.body.length;
    }
    this.#lastDelayMs = delayMs;
    const track = frame.kind === FrameKind.audio ? this.#audio : this.#video;
    if (track.number < 0) return;
    const next = entry.before === track.number ? entry : this.#log.nextInTrack(track.number);
    if (next !== undefined) this.#countStall(track, next, now);
  }

  #countSkipped(now: number, frames: number): void {
    for (const tally of this.#tallies.at(now)) {
      tally.framesDue += frames;
      tally.framesSkipped += frames;
    }
  }

  /**
   * `next` was due a frame's time after the last one of its track; the track moved on only `now`.
   */
  #countStall(track: Track, next: Published, now: number): void {
    const lastDts = this.#log.at(track.number)?.frame.dtsMs ?? next.frame.dtsMs;
    const dueMs = track.atMs + next.frame.dtsMs - lastDts;
    if (now - dueMs <= STALL_MS_MIN) return;
    this.#tallies.addSpan("stalledMs", Math.max(dueMs, this.#stalledUntilMs), now);
    this.#stalledUntilMs = Math.max(this.#stalledUntilMs, now);
  }

  #compare(now: number, { frame, number }: Published, got: MediaFrame): void {
    const [want, have] = [frame.body, got.body];
    const isWhole = number % WHOLE_EVERY === 0;
    let isSame = want.length === have.length && frame.ptsOffsetMs === got.ptsOffsetMs;
    const end = isWhole ? want.length : Math.min(ENDS_BYTES, want.length);
    for (let i = 0; i < end && isSame; i++) {
      const j = want.length - 1 - i;
      isSame = want[i] === have[i] && want[j] === have[j];
    }
    if (!isSame)
      this.#fault(now, `frame ${frame.kind}@${frame.dtsMs} differs from what was published`);
  }

  #fault(now: number, what: string): void {
    this.faultCount++;
    if (this.faults.length < 3) this.faults.push(`at ${now.toFixed(1)} ms: ${what}`);
  }
}
