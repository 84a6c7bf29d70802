/**
 * The three zones before the play point, and what of each is missing. Ages count from capture:
 *
 *   age 0          pullFrom            compensateFrom      playout
 *    |   push        |   pull             |  compensation    |  played
 *    | wait for it   |  ask a neighbour   |  ask the edge    |
 */
import { serialDiff } from "../../base/serial.ts";
import { type Ms, ms } from "../../base/time.ts";
import { flagPhase, Phase } from "../../wire/segment.ts";
import type { FragmentPlace, SegmentIndex } from "../segments/segment-index.ts";
import { LagHistogram } from "../time/arrival-stats.ts";

/** Fragments [first, first + count) that are missing and wanted. */
export interface MissingRange {
  readonly first: number;
  readonly count: number;
  /** `pull`: ask a neighbour; `compensate`: ask the edge, it is urgent. */
  readonly zone: "pull" | "compensate";
  /** When the first of them must have arrived. */
  readonly deadline: Ms;
}

const HALF_LIFE_MS = 10_000;
/** Pushes are given their 99th percentile and this much more. */
const PUSH_MARGIN_MS = 50;
/** Before that is known, a share of the play-out delay. */
const PUSH_SHARE = 0.5;
const PUSH_SAMPLES = 50;
/** A pull takes at least this long before the edge is asked. */
const PULL_MS_MIN = 90;
/** The urgent zone: at least this, and two rounds with the edge and what it takes to answer: one may be lost. */
const URGENT_MS_MIN = 130;
const URGENT_MS = 90;
const URGENT_RTTS = 2.2;
const URGENT_SHARE_MAX = 0.6;
/** Fragment numbers looked at in one go. */
const HOLES_MAX = 512;

export class PlayZones {
  readonly #index: SegmentIndex;
  readonly #pushLags = new LagHistogram(HALF_LIFE_MS);
  /* Ranges that nobody has any more: first and end, alternating. */
  #gone: { first: number; end: number }[] = [];
  edgeRttMs = 50;

  constructor(index: SegmentIndex) {
    this.#index = index;
  }

  /**
   * A fragment came in: how late do pushes come? Only those whose capture time is known, not
   * guessed, say.
   */
  handleFragment(now: Ms, place: FragmentPlace): void {
    if (flagPhase(place.flags) !== Phase.push) return;
    if (!this.#index.clock?.ready || this.#index.segmentOf(place.number)?.header === undefined)
      return;
    this.#pushLags.add(now, this.#index.ageOf(place.number, now));
  }

  handleGone(first: number, count: number): void {
    this.#gone.push({ first, end: (first + count) >>> 0 });
    if (this.#gone.length > HOLES_MAX) this.#gone.shift();
  }

  /** The end of what is gone from fragment `number` on; `number` itself when it is not. */
  goneUpTo(number: number): number {
    let end = number;
    for (let i = 0; i < this.#gone.length; i++) {
      const range = this.#gone[i] as { first: number; end: number };
      if (serialDiff(range.first, end) > 0 || serialDiff(range.end, end) <= 0) continue;
      end = range.end;
      i = -1; /* what was passed over may continue here; each round moves on, so this ends */
    }
    return end;
  }

  /** Forgets what was said of fragments before `number`. */
  dropBefore(number: number): void {
    if (this.#gone.length === 0) return;
    this.#gone = this.#gone.filter((range) => serialDiff(range.end, number) > 0);
  }

  pullFromMs(playoutMs: number): number {
    const lagMs =
      this.#pushLags.samples < PUSH_SAMPLES
        ? PUSH_SHARE * playoutMs
        : this.#pushLags.quantile(0.99) + PUSH_MARGIN_MS;
    return Math.max(0, Math.min(lagMs, this.compensateFromMs(playoutMs) - PULL_MS_MIN));
  }

  compensateFromMs(playoutMs: number): number {
    const urgentMs = Math.max(URGENT_MS_MIN, URGENT_MS + URGENT_RTTS * this.edgeRttMs);
    return playoutMs - Math.min(urgentMs, URGENT_SHARE_MAX * playoutMs);
  }

  /**
   * What is missing from fragment `from` on and old enough to be asked for but still of use: at
   * most `limit` ranges.
   */
  missing(now: Ms, from: number, playoutMs: number, limit: number): readonly MissingRange[] {
    const out: MissingRange[] = [];
    const holes = this.#index.holes(from, this.#index.frontier(), HOLES_MAX);
    if (holes === 0) return out;
    const pullFrom = this.pullFromMs(playoutMs);
    const compensateFrom = this.compensateFromMs(playoutMs);
    const { out: words } = this.#index.hot;
    let open:
      | { first: number; count: number; zone: "pull" | "compensate"; deadline: Ms }
      | undefined;
    for (let i = 0; i < holes; i++) {
      const number = (words[i] as number) >>> 0;
      if (this.goneUpTo(number) !== number) continue;
      const ageMs = this.#index.ageOf(number, now);
      if (ageMs < pullFrom) break;
      if (ageMs >= playoutMs) continue;
      const zone = ageMs < compensateFrom ? "pull" : "compensate";
      if (open?.zone === zone && number === open.first + open.count) {
        open.count++;
        continue;
      }
      if (out.length === limit) break;
      open = { first: number, count: 1, zone, deadline: ms(now - ageMs + playoutMs) };
      out.push(open);
    }
    return out;
  }
}
