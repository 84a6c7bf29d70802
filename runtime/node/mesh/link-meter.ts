/**
 * What one pair of lines is like, told by pings: round trip and its deviation (RFC 9002 §5.3, without the ACK delay that
 * a PONG does not have), loss over the last of them, and whether it is silent. Media says more while there is any: its
 * losses are added by the link.
 */
import type { Ms } from "../../base/time.ts";

/** Pings remembered. */
const WINDOW = 32;
/** A ping unanswered for the round trip, four deviations and this is lost. */
const SLACK_MS = 25;
const LATE_MS_FIRST = 400;
const RTT_GAIN = 1 / 8;
const VAR_GAIN = 1 / 4;
/** Settled packets over which the loss of media is smoothed, and how many tell anything. */
const MEDIA_GAIN = 1 / 200;
const FAST_GAIN = 1 / 16;
const MEDIA_MIN = 50;

export class LinkMeter {
  rttMs = Number.NaN;
  jitterMs = 0;
  #number = 0;
  readonly #sentAt = new Float64Array(WINDOW).fill(Number.NaN);
  readonly #isAnswered = new Uint8Array(WINDOW);
  #answeredAt = Number.NEGATIVE_INFINITY;
  #mediaLoss = 0;
  #fastLoss = 0;
  #mediaPackets = 0;

  /** Number of a ping that is sent now, from 1. */
  ping(now: Ms): number {
    const at = this.#number % WINDOW;
    this.#sentAt[at] = now;
    this.#isAnswered[at] = 0;
    return ++this.#number;
  }

  pong(now: Ms, number: number, rttMs: number): void {
    if (number > this.#number || number <= this.#number - WINDOW) return;
    this.#isAnswered[(number - 1) % WINDOW] = 1;
    this.#answeredAt = now;
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
  loss(now: Ms): number {
    if (this.#mediaPackets >= MEDIA_MIN) return this.#mediaLoss;
    const { sent, lost } = this.#count(now);
    return sent === 0 ? 0 : 1 - Math.sqrt(1 - lost / sent);
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
      if ((this.#sentAt[at] as number) > before) continue;
      if (this.#isAnswered[at] === 1) break;
      count++;
    }
    return count;
  }

  /** When the last answer came. */
  get answeredAt(): number {
    return this.#answeredAt;
  }

  /** Begins anew, as after an outage: what was known of losses says nothing any more. */
  restart(): void {
    this.#sentAt.fill(Number.NaN);
    this.#isAnswered.fill(0);
    this.#number = 0;
    this.#mediaPackets = 0;
    this.#mediaLoss = 0;
    this.#fastLoss = 0;
  }

  #count(now: Ms): { sent: number; lost: number } {
    const before = now - this.lateMs;
    let sent = 0;
    let lost = 0;
    for (let i = 0; i < WINDOW; i++) {
      const at = this.#sentAt[i] as number;
      if (!(at <= before)) continue;
      sent++;
      if (this.#isAnswered[i] === 0) lost++;
    }
    return { sent, lost };
  }
}
