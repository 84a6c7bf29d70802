/**
 * What a viewer has had of it: frames in time, given up, damaged; how long picture or sound stood
 * still; capture → play-out. Frozen is the time more than 100 ms past the due time of a track's
 * next frame.
 */
import type { Ms } from "../../base/time.ts";

const FROZEN_AFTER_MS = 100;
const DELAY_SMOOTHING = 1 / 32;
const CADENCE_SMOOTHING = 1 / 8;

class Track {
  lastMedia = Number.NaN;
  /** Media time from one frame to the next. */
  cadenceMs = 0;
  /** Media time at which the first frame since the last may have been missing; NaN = none was. */
  gapMedia = Number.NaN;
}

export class PlayFigures {
  framesPlayed = 0;
  framesSkipped = 0;
  framesDamaged = 0;
  /** Smoothed and greatest, over frames played in time; 0 before the first. */
  delayMs = 0;
  delayMsMax = 0;
  readonly #audio = new Track();
  readonly #video = new Track();
  #stalledMs = 0;
  #settledUntil = Number.NEGATIVE_INFINITY;
  #unreported = 0;

  /** A frame was played in time. */
  played(delayMs: number): void {
    this.framesPlayed++;
    if (this.delayMs === 0) this.delayMs = delayMs;
    else this.delayMs += (delayMs - this.delayMs) * DELAY_SMOOTHING;
    this.delayMsMax = Math.max(this.delayMsMax, delayMs);
  }

  /** Frames were due and came late or not at all. */
  skipped(frames: number): void {
    this.framesSkipped += frames;
    this.#unreported += frames;
  }

  /** Segments are missing behind media time `media`, of whichever track. */
  gap(media: number): void {
    for (const track of [this.#audio, this.#video]) {
      if (Number.isNaN(track.gapMedia)) track.gapMedia = media;
    }
  }

  /** A frame of a track is shown, `now − offset` being the media time due now. */
  shown(now: Ms, isVideo: boolean, media: number, offset: number): void {
    const track = isVideo ? this.#video : this.#audio;
    if (!Number.isNaN(track.lastMedia)) {
      let expected = media;
      if (!Number.isNaN(track.gapMedia)) {
        const following = Math.max(track.lastMedia + track.cadenceMs, track.gapMedia);
        expected = Math.min(media, following);
      } else {
        const stepMs = Math.max(0, media - track.lastMedia);
        track.cadenceMs += (stepMs - track.cadenceMs) * CADENCE_SMOOTHING;
      }
      const frozenMs = this.#frozenSince(expected + offset, now);
      if (frozenMs > 0) {
        this.#stalledMs += frozenMs;
        this.#settledUntil = now;
      }
    }
    track.lastMedia = media;
    track.gapMedia = Number.NaN;
  }

  /**
   * `isWaiting`: more is known to exist than was shown, so that standing still is not the encoder's
   * own pause.
   */
  stalledMs(now: Ms, isWaiting: boolean, offset: number): number {
    const audio = this.#audio.lastMedia + this.#audio.cadenceMs;
    const video = this.#video.lastMedia + this.#video.cadenceMs;
    const next = Number.isNaN(audio) ? video : Number.isNaN(video) ? audio : Math.max(audio, video);
    if (!isWaiting || Number.isNaN(next)) return this.#stalledMs;
    return this.#stalledMs + this.#frozenSince(next + offset, now);
  }

  /** Frames given up since the last call. */
  takeSkipped(): number {
    const frames = this.#unreported;
    this.#unreported = 0;
    return frames;
  }

  #frozenSince(due: number, now: Ms): number {
    return Math.max(0, now - Math.max(due + FROZEN_AFTER_MS, this.#settledUntil));
  }
}
