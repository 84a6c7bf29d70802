/**
 * The rate of a path from the spread of a packet train: packets sent back to back arrive apart by the time that the
 * narrowest link takes for one of them (packet dispersion; Dovrolis, Ramanathan, Moore, "What do packet dispersion
 * techniques measure?", INFOCOM 2001). One short train costs what a viewer uploads in a fifth of a second and tells the
 * edge at once what use in pushing would tell after many seconds. It is a first guess: cross traffic lowers it,
 * a line that lends bursts raises it.
 */
import type { Ms } from "../../base/time.ts";

/** Fewer packets than this say nothing. */
const PACKETS_MIN = 4;
/** Arrivals are read in turns of a loop, about a millisecond apart: a shorter spread is not resolved, ms. */
const SPREAD_MS_MIN = 4;

export class TrainMeter {
  #train = -1;
  #firstAt = 0;
  #lastAt = 0;
  #packets = 0;
  #bytes = 0;

  /** One packet of `bytes` on the wire; a later train replaces an earlier one. */
  handle(now: Ms, train: number, bytes: number): void {
    if (train !== this.#train) {
      this.#train = train;
      this.#firstAt = now;
      this.#packets = 0;
      this.#bytes = 0;
    } else this.#bytes += bytes;
    this.#packets++;
    this.#lastAt = now;
  }

  /** bit/s on the wire; 0 = not known. Of a spread too short to be resolved: the least it can mean. */
  get rateBps(): number {
    if (this.#packets < PACKETS_MIN) return 0;
    return (this.#bytes * 8000) / Math.max(SPREAD_MS_MIN, this.#lastAt - this.#firstAt);
  }
}
