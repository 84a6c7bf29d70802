/**
 * The start of play-out: frames from the start of a group up to the play point, there for the
 * decoder only. They come as a burst that takes its time, while the play point moves on and live
 * frames come in beside it. As long as the burst keeps coming, what is missing of it is waited for,
 * and what falls due meanwhile belongs to it: going on without would damage the whole group.
 */
import { type Ms, ms } from "../../base/time.ts";

/** What is due this shortly before the start still counts as played; wake-ups are that coarse. */
const START_EARLY_MS = 5;
/** A burst of which nothing came for this long has come to an end, or has lost its last. */
const BURST_WAIT_MS = 400;
/** After this long the start is over, burst or no burst. */
const LEAD_IN_MS_MAX = 2000;

const BEFORE_ALL = ms(Number.NEGATIVE_INFINITY);
/** What is late within this after the start belongs to it. */
const FILL_UP_MS = 150;

export class LeadIn {
  #startedAt: Ms = BEFORE_ALL;
  #burstAt: Ms = BEFORE_ALL;
  /* What was due before this media time is the lead-in. */
  #media = 0;
  #isOver = false;

  /** Play-out begins; the play point stands at media time `playPoint`. */
  start(now: Ms, playPoint: number): void {
    this.#startedAt = now;
    this.#media = playPoint - START_EARLY_MS;
  }

  /** A segment of the burst is whole. */
  handleBurst(now: Ms): void {
    this.#burstAt = now;
  }

  /** Whether a frame of media time `media`, handed on at `now`, is part of the lead-in. */
  covers(now: Ms, media: number, playPoint: number): boolean {
    if (!this.#isOver) {
      if (now - this.#startedAt <= LEAD_IN_MS_MAX) this.#media = playPoint - START_EARLY_MS;
      this.#isOver = media >= this.#media;
    }
    if (media < this.#media) return true;
    /* The burst may still be filling up what has just become due. */
    return now - this.#startedAt <= FILL_UP_MS && media < playPoint;
  }

  /** Until when what is missing is waited for; in the past when the lead-in is over. */
  waitsUntil(): Ms {
    if (this.#isOver) return BEFORE_ALL;
    return ms(Math.min(this.#startedAt + LEAD_IN_MS_MAX, this.#burstAt + BURST_WAIT_MS));
  }
}
