/**
 * What one pair of lines is like, told by pings: round trip and its deviation (RFC 9002 §5.3, without the ACK delay
 * that a PONG does not have), loss over the last of them, and whether it is silent. Media says more while there is
 * any.
 */
import type { Ms } from "../../base/time.ts";

/** Pings remembered. */
const WINDOW = 32;
/** A ping unanswered for the round trip, four deviations and this is lost. */
const SLACK_MS = 25;
const LATE_MS_FIRST = 400;
const RTT_GAIN = 1 / 8;
const VAR_GAIN = 1 / 4;
/** Losses are smoothed over so many pings, packets of media, and of the latter the last few. */
const PING_LOSS_GAIN = 1 / 128;
const MEDIA_GAIN = 1 / 400;
const FAST_GAIN = 1 / 16;
/** Both ways, assumed before anything is known, and as good as so many pings. */
const LOSS_FIRST = 0.02;
const FIRST_WEIGHT = 16;
/** Packets of media that tell more than pings. */
const MEDIA_MIN = 100;

export class LinkMeter {
  rttMs = Number.NaN;
  jitterMs = 0;
  #number = 0;
  readonly #sentAt = new Float64Array(WINDOW).fill(Number.NaN);
  readonly #isAnswered = new Uint8Array(WINDOW);
  #pingLoss = LOSS_FIRST;
  #pings = 0;
  #mediaLoss = 0;
  #fastLoss = 0;
  #mediaPackets = 0;

  /** Number of a ping that is sent now, from 1. */
  ping(now: Ms): number {
    const at = this.#number % WINDOW;
    if (this.#number >= WINDOW) this.#count(this.#isAnswered[at] === 0);
    this.#sentAt[at] = now;
    this.#isAnswered[at] = 0;
    return ++this.#number;
  }

  pong(number: number, rttMs: number): void {
    if (number > this.#number || number <= this.#number - WINDOW) return;
    this.#isAnswered[(number - 1) % WINDOW] = 1;
    if (Number.isNaN(this.rttMs)) {
      this.rttMs = rttMs;
      this.jitterMs = rttMs / 8;
      return;
    }
    this.jitterMs += (Math.abs(rttMs - this.rttMs) - this.jitterMs) * VAR_GAIN;
    this.rttMs += (rttMs - this.rttMs) * RTT_GAIN;
  }

  /** A packet with media was acknowledged, or lost. */
  settled(isLost: boolean): void {
    this.#mediaPackets++;
    const gain = Math.max(MEDIA_GAIN, 1 / this.#mediaPackets);
    this.#mediaLoss += ((isLost ? 1 : 0) - this.#mediaLoss) * gain;
    this.#fastLoss += ((isLost ? 1 : 0) - this.#fastLoss) * FAST_GAIN;
  }

  /** How long after sending no answer means that none comes. */
  get lateMs(): number {
    if (Number.isNaN(this.rttMs)) return LATE_MS_FIRST;
    return this.rttMs + 4 * this.jitterMs + SLACK_MS;
  }

  /** One way, 0..1: of media where there is enough, else half of what pings say. */
  loss(): number {
    if (this.#mediaPackets >= MEDIA_MIN) return this.#mediaLoss;
    return 1 - Math.sqrt(1 - this.#pingLoss);
  }

  /** The same over the last 16 packets or so: a path that goes bad shows here. */
  get recentLoss(): number {
    return this.#fastLoss;
  }

  /** Pings in a row, up to the last that is due, that were not answered. */
  silent(now: Ms): number {
    const before = now - this.lateMs;
    let count = 0;
    for (let number = this.#number; number > 0 && number > this.#number - WINDOW; number--) {
      const at = (number - 1) % WINDOW;
      if (this.#isAnswered[at] === 1) break;
      if ((this.#sentAt[at] as number) <= before) count++;
    }
    return count;
  }

  /** Begins anew, as after an outage: what was known of losses says nothing any more. */
  restart(): void {
    this.#sentAt.fill(Number.NaN);
    this.#isAnswered.fill(0);
    this.#number = 0;
    this.#pingLoss = LOSS_FIRST;
    this.#pings = 0;
    this.#mediaPackets = 0;
    this.#mediaLoss = 0;
    this.#fastLoss = 0;
  }

  /** A ping has had all the time there is. */
  #count(isLost: boolean): void {
    this.#pings++;
    const gain = Math.max(PING_LOSS_GAIN, 1 / (FIRST_WEIGHT + this.#pings));
    this.#pingLoss += ((isLost ? 1 : 0) - this.#pingLoss) * gain;
  }
}
