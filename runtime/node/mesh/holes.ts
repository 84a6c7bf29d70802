/**
 * What a receiving edge misses of a run that comes over several paths: a fragment is missed when a later one has come
 * and it has not for a while. The sender finds nearly all losses by itself; this is for those it cannot see, as when a
 * relay dies with what it had acknowledged.
 */
import { serialDiff } from "../../base/serial.ts";
import { type Ms, ms, NEVER } from "../../base/time.ts";

/** Paths differ, and the sender's own repair comes first: missed this long before it is asked for. */
const WAIT_MS = 130;
/** Between two requests for the same, and how many there are. */
const AGAIN_MS = 80;
const TRIES_MAX = 8;
/** Missed at once; a gap wider than this is not a gap but a beginning. */
export const HOLES_MAX = 2048;

interface Hole {
  at: number;
  tries: number;
}

export class Holes {
  readonly #holes = new Map<number, Hole>();
  #next: number | undefined;

  get size(): number {
    return this.#holes.size;
  }

  /** A fragment came in. */
  note(now: Ms, number: number): void {
    const next = this.#next;
    if (next === undefined) {
      this.#next = (number + 1) >>> 0;
      return;
    }
    const ahead = serialDiff(number, next);
    if (ahead < 0) {
      this.#holes.delete(number);
      return;
    }
    if (ahead <= HOLES_MAX) {
      for (let i = 0; i < ahead; i++) {
        this.#holes.set((next + i) >>> 0, { at: now + WAIT_MS, tries: 0 });
      }
    }
    this.#next = (number + 1) >>> 0;
    while (this.#holes.size > HOLES_MAX) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const oldest = this.#holes.keys().next();
    if (oldest.done !== true) this.#holes.delete(oldest.value);
  }

  /** Another run begins. */
  restart(): void {
    this.#holes.clear();
    this.#next = undefined;
  }

  /** It will not come. */
  giveUp(number: number): void {
    this.#holes.delete(number);
  }

  nextTimeout(): Ms {
    let at: number = NEVER;
    for (const hole of this.#holes.values()) at = Math.min(at, hole.at);
    return ms(at);
  }

  /** Numbers to ask for now, at most `limit`. */
  due(now: Ms, limit: number): number[] {
    const numbers: number[] = [];
    for (const [number, hole] of this.#holes) {
      if (hole.at > now) continue;
      if (hole.tries === TRIES_MAX) {
        this.#holes.delete(number);
        continue;
      }
      if (numbers.length === limit) break;
      hole.tries++;
      hole.at = now + AGAIN_MS;
      numbers.push(number);
    }
    return numbers;
  }
}
