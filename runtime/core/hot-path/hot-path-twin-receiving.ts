/** The twin's receiving side: a set of the packet numbers that came, counted on without wrapping. */
import { Received, Status } from "./hot-path.ts";

const WINDOW = 1024;
const INTERVALS = 4;
const REACH_MIN = 32;

export interface AckParts {
  /** u32. */
  readonly largest: number;
  readonly delayTicks: number;
  /** u32. */
  readonly clock: number;
  readonly bitmap: Uint8Array;
}

export class TwinReceiving {
  pending = 0;
  readonly #first: number;
  readonly #came = new Set<number>();
  #largest: number;
  #largestAt = 0;
  /** Lowest number that came in each interval between ACKs, the current one first. */
  #minima: (number | undefined)[] = [undefined];

  constructor(first: number) {
    this.#first = first;
    this.#largest = first - 1;
  }

  receive(nowMs: number, number16: number): number {
    const near = this.#largest;
    const ahead = ((number16 - near) << 16) >> 16;
    const number = near + ahead;
    if (number < this.#first || number <= near - WINDOW) return Status.old;
    if (this.#came.has(number)) return Status.duplicate;
    this.#came.add(number);
    this.pending++;
    const [lowest] = this.#minima;
    if (lowest === undefined || number < lowest) this.#minima[0] = number;
    if (number > near) this.#advance(number, nowMs);
    return number > near + 1 ? Received.gap : Received.fresh;
  }

  /** Undefined before the first packet. */
  acknowledge(nowMs: number): AckParts | undefined {
    const largest = this.#largest;
    if (largest < this.#first) return undefined;
    const lowest = Math.min(...this.#minima.map((minimum) => minimum ?? largest));
    const leastBits = Math.min(REACH_MIN, largest - this.#first);
    const bits = Math.min(Math.max(largest - lowest, leastBits), WINDOW - 1);
    const bitmap = new Uint8Array(Math.ceil(bits / 8));
    for (let i = 0; i < bitmap.length * 8; i++) {
      if (this.#came.has(largest - 1 - i)) bitmap[i >> 3] = (bitmap[i >> 3] ?? 0) | (1 << (i & 7));
    }
    if (this.pending > 0) this.#minima = [undefined, ...this.#minima].slice(0, INTERVALS);
    this.pending = 0;
    const delayTicks = Math.floor((nowMs - this.#largestAt) * 10);
    return {
      largest: largest >>> 0,
      delayTicks: Math.min(Math.max(delayTicks, 0), 0xffff),
      clock: Math.floor(this.#largestAt * 10) >>> 0,
      bitmap,
    };
  }

  #advance(number: number, nowMs: number): void {
    for (let old = this.#largest - WINDOW + 1; old <= number - WINDOW; old++) {
      this.#came.delete(old);
      if (old > this.#largest) break;
    }
    this.#largest = number;
    this.#largestAt = nowMs;
  }
}
