/**
 * What another node's clock shows, told from pings: four timestamps a round, of which the round
 * with the least delay knows best (RFC 5905 §8 and its clock filter, §10). Clocks travel as 100 µs
 * units modulo 2^32 (docs/WIRE.md), so an offset is only known modulo `CLOCK_SPAN_MS`, and a time
 * read from the wire is the one nearest to a local time.
 */
import { assert } from "../../base/assert.ts";
import { type Ms, ms } from "../../base/time.ts";
import { toClockUnits } from "../../wire/segment.ts";

/** Span of a wire clock: 2^32 units of 100 µs, 4.97 days. */
export const CLOCK_SPAN_MS = 0x1_0000_0000 / 10;
/** Two quartz clocks part by at most 100 ppm each. */
const DRIFT = 200e-6;
/** Rounds that compete (RFC 5905 §10, NSTAGE). */
const ROUNDS = 8;
/** The wire rounds each timestamp to 0.1 ms. */
const ROUNDING_MS = 0.2;

/** `value` modulo the span of a wire clock, the representative nearest to `near`. */
export function nearestClockMs(value: number, near: number): number {
  return value + Math.round((near - value) / CLOCK_SPAN_MS) * CLOCK_SPAN_MS;
}

export class ClockEstimate {
  /*
   * Of the last rounds: offset, RTT, time it ended; three numbers a round, oldest overwritten.
   * Empty costs nothing.
   */
  readonly #rounds: number[] = [];
  #written = 0;
  #offset = 0;
  #rtt = Number.POSITIVE_INFINITY;
  #at = 0;

  /**
   * A ping's round: sent at `sent` and answered at `received` by the local clock, arrived at
   * `peerReceived` and answered at `peerSent` by the peer's (units). Returns false, and learns
   * nothing, when the four cannot belong together.
   */
  addSample(sent: Ms, peerReceived: number, peerSent: number, received: Ms): boolean {
    const heldMs = ((peerSent - peerReceived) | 0) / 10;
    const rtt = received - sent - heldMs;
    if (!(heldMs >= 0 && rtt >= -ROUNDING_MS)) return false;
    const near = this.ready ? this.#offset : 0;
    const middle = (sent + received) / 2;
    const offset = nearestClockMs(peerReceived / 10 + heldMs / 2 - middle, near);
    const at = (this.#written++ % ROUNDS) * 3;
    this.#rounds[at] = offset;
    this.#rounds[at + 1] = Math.max(0, rtt);
    this.#rounds[at + 2] = received;
    this.#choose(received);
    return true;
  }

  /** Whether at least one round is known. */
  get ready(): boolean {
    return this.#written > 0;
  }

  /** Peer's clock − local clock, ms, modulo `CLOCK_SPAN_MS`. */
  get offsetMs(): number {
    return this.#offset;
  }

  /** RTT of the round believed; +Infinity before the first. */
  get leastRttMs(): number {
    return this.#rtt;
  }

  /** The true offset lies within ± this of `offsetMs`; +Infinity before the first round. */
  uncertaintyMs(now: Ms): number {
    return this.#rtt / 2 + ROUNDING_MS + DRIFT * Math.max(0, now - this.#at);
  }

  /**
   * The local time at which the peer's clock shows `peerUnits`, the one nearest to the local time
   * `near`.
   */
  toLocal(peerUnits: number, near: Ms): Ms {
    assert(this.ready, "no round was measured");
    return ms(nearestClockMs(peerUnits / 10 - this.#offset, near));
  }

  /** What the peer's clock shows at a local time, in units. */
  toPeerUnits(local: Ms): number {
    assert(this.ready, "no round was measured");
    return toClockUnits(local + this.#offset);
  }

  /* The round with the least half RTT, aged by what the clocks may have parted since. */
  #choose(now: Ms): void {
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#rounds.length; i += 3) {
      const rtt = this.#rounds[i + 1] as number;
      const at = this.#rounds[i + 2] as number;
      const distance = rtt / 2 + DRIFT * (now - at);
      if (distance > best) continue;
      best = distance;
      this.#offset = this.#rounds[i] as number;
      this.#rtt = rtt;
      this.#at = at;
    }
  }
}

/**
 * Smaller changes of a capture offset are followed at this rate, so that play-out does not jerk: 1
 * %.
 */
const SLEW = 0.01;
/** Larger ones at once: the estimate was wrong, or the upstream is another one. */
const SLEW_MS_MAX = 100;

/**
 * Tells a stream's capture times (the publisher's clock) in the local clock. The upstream says in
 * CLOCK what to add to reach *its* clock; our estimate of that clock does the rest. What comes out
 * is what this node tells its own children.
 */
export class CaptureClock {
  #toldOffset = Number.NaN;
  #toldUncertainty = 0;
  #upstream: ClockEstimate | undefined;
  #offset = Number.NaN;
  #followedAt = 0;
  #jumps = 0;

  /** At the publisher: frames are captured by the local clock itself. */
  setLocal(now: Ms): void {
    this.#toldOffset = 0;
    this.#toldUncertainty = 0;
    this.#upstream = undefined;
    this.#follow(now);
  }

  /**
   * The upstream's CLOCK entry: `upstream's clock = capture clock + offsetMs`, ± `uncertaintyMs`;
   * `upstream` is the estimate of that node's clock and is read again whenever the time is asked.
   * Returns false for nonsense.
   */
  told(now: Ms, offsetMs: number, uncertaintyMs: number, upstream: ClockEstimate): boolean {
    if (!Number.isFinite(offsetMs) || !(uncertaintyMs >= 0)) return false;
    this.#toldOffset = offsetMs;
    this.#toldUncertainty = uncertaintyMs;
    this.#upstream = upstream;
    this.#follow(now);
    return true;
  }

  /** Whether the offset was told and the upstream's clock is known. */
  get ready(): boolean {
    return !Number.isNaN(this.#toldOffset) && (this.#upstream?.ready ?? true);
  }

  /** How often the offset jumped, the first time not counted. */
  get jumps(): number {
    return this.#jumps;
  }

  /**
   * Local clock − capture clock at `now`, ms, modulo `CLOCK_SPAN_MS`: what CLOCK tells children.
   */
  offsetMs(now: Ms): number {
    assert(this.ready, "the capture clock is not known yet");
    return this.#follow(now);
  }

  uncertaintyMs(now: Ms): number {
    return this.#toldUncertainty + (this.#upstream?.uncertaintyMs(now) ?? 0);
  }

  /**
   * When something was captured, in the local clock: the time nearest to `now`. `captureUnits` as
   * on the wire.
   */
  toLocal(captureUnits: number, now: Ms): Ms {
    return ms(nearestClockMs(captureUnits / 10 + this.offsetMs(now), now));
  }

  #follow(now: Ms): number {
    if (!this.ready) return Number.NaN;
    const raw = this.#toldOffset - (this.#upstream?.offsetMs ?? 0);
    if (Number.isNaN(this.#offset)) {
      this.#offset = raw;
    } else {
      const change = nearestClockMs(raw, this.#offset) - this.#offset;
      const step = SLEW * Math.max(0, now - this.#followedAt);
      if (Math.abs(change) > SLEW_MS_MAX) {
        this.#offset += change;
        this.#jumps++;
      } else {
        this.#offset += Math.max(-step, Math.min(step, change));
      }
    }
    this.#followedAt = Math.max(this.#followedAt, now);
    return this.#offset;
  }
}
