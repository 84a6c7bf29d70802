/**
 * How one direction of an emulated link behaves. The order of things is the emulator's: a queue before a rate, then
 * loss, then delay.
 */

/** In bursts (Gilbert 1960, Elliott 1963), stepping once a packet. Mean burst = 1 / `badToGood` packets. */
export interface Bursts {
  readonly goodToBad: number;
  readonly badToGood: number;
  /** Loss in each state; 0 and 1 by default. */
  readonly goodLoss?: number;
  readonly badLoss?: number;
}

export interface WanProfile {
  /** One way, ms. */
  readonly delayMs: number;
  /** Extra delay of each packet, evenly from 0 up to this, ms; 0 by default. */
  readonly jitterMs?: number;
  /** Packets overtake each other under jitter; by default none does. */
  readonly reorders?: boolean;
  /** Share of packets lost, each by itself, or in bursts; none by default. */
  readonly loss?: number | Bursts;
  /** Bit/s of IP bytes; no limit by default. */
  readonly rateBps?: number;
  /** Bytes that may wait for the rate; 150 ms of it by default. */
  readonly queueBytes?: number;
}

const QUEUE_SECONDS = 0.15;

/** The profile as the emulator's `set` wants it, behind the link's name and the direction. */
export function profileWords(profile: WanProfile): string {
  const { delayMs, jitterMs = 0, reorders = false, loss = 0, rateBps = 0 } = profile;
  const queueBytes = profile.queueBytes ?? (rateBps / 8) * QUEUE_SECONDS;
  const bursts: Bursts =
    typeof loss === "number" ? { goodToBad: 0, badToGood: 0, goodLoss: loss } : loss;
  const { goodToBad, badToGood, goodLoss = 0, badLoss = 1 } = bursts;
  const times = [delayMs * 1000, jitterMs * 1000, reorders ? 0 : 1];
  return [...times, rateBps, queueBytes, goodToBad, badToGood, goodLoss, badLoss].join(" ");
}

/** Share of packets it loses on average. */
export function lossOf({ loss = 0 }: WanProfile): number {
  if (typeof loss === "number") return loss;
  const { goodToBad, badToGood, goodLoss = 0, badLoss = 1 } = loss;
  const bad = goodToBad / (goodToBad + badToGood);
  return bad * badLoss + (1 - bad) * goodLoss;
}
