/**
 * A simulated node's own clock: right in nothing but its direction. Nodes see only this one; the
 * world's time is for the checkers.
 */
import { type Ms, ms } from "../base/time.ts";

const DAY_MS = 86_400_000;

export interface ClockModel {
  /** What it shows at world time 0, ms, ≥ 0 as a real monotonic clock's. */
  readonly offsetMs: number;
  /** How fast it runs: +100 shows 1.0001 s after 1 s. Parts per million. */
  readonly driftPpm: number;
}

export class NodeClock {
  readonly #offsetMs: number;
  readonly #rate: number;

  constructor(model: ClockModel) {
    this.#offsetMs = model.offsetMs;
    this.#rate = 1 + model.driftPpm / 1e6;
  }

  /** What this clock shows at a time of the world. */
  local(worldMs: number): Ms {
    return ms(worldMs * this.#rate + this.#offsetMs);
  }

  /** The time of the world at which this clock shows `localMs`. */
  world(localMs: number): number {
    return (localMs - this.#offsetMs) / this.#rate;
  }
}

/** Up to a day before or behind a common time, drifting by up to 100 ppm either way. */
export function randomClock(random: { next(): number }): ClockModel {
  return { offsetMs: random.next() * 2 * DAY_MS, driftPpm: (random.next() * 2 - 1) * 100 };
}
