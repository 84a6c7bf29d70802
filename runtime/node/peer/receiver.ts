/**
 * One session's subscription at an outlet: which sub-streams it is pushed, when it plays, and how much it may still ask
 * for. A peer has one per neighbour, most of them pushed nothing and asked by nobody: such a one is small, and an
 * outlet that passes a fragment on does not look at it.
 */
import { bitCount } from "../../base/bits.ts";
import type { Ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";

/** Play-out offset assumed before a receiver has told its own. */
export const PLAYOUT_MS = 800;
/** Fragments a receiver may be compensated at once, and per second. */
const REQUEST_TOKENS = 512;
/** The same fragment asked for again within this is a doubled request. */
const ANSWERED_MS = 30;
const ANSWERED_MAX = 256;

export class Receiver {
  readonly session: Session;
  /** Stream index of the current epoch on that session; 0 = none yet. */
  index = 0;
  k: number;
  /** Capture → play-out at the receiver, ms. */
  playoutMs = PLAYOUT_MS;
  #mask: number;
  readonly #masked: () => void;
  /** Fragments asked for that could still be answered at `#tokensAt`; refilled with time. */
  #tokens = REQUEST_TOKENS;
  #tokensAt = 0;
  /** Fragments answered a moment ago, and when. */
  #answered: Map<number, Ms> | undefined;

  /** `masked` is told when the mask has changed. */
  constructor(session: Session, mask: number, k: number, masked: () => void) {
    this.session = session;
    this.#mask = mask;
    this.k = k;
    this.#masked = masked;
  }

  /** Sub-streams wanted: bit k of K. */
  get mask(): number {
    return this.#mask;
  }

  set mask(mask: number) {
    if (mask === this.#mask) return;
    this.#mask = mask;
    this.#masked();
  }

  /** All sub-streams of the stream are pushed to it from here. */
  get isWhole(): boolean {
    return this.#mask === (this.k === 32 ? 0xffff_ffff : 2 ** this.k - 1);
  }

  wants(number: number): boolean {
    return ((this.#mask >>> (number % this.k)) & 1) === 1;
  }

  /** Takes leave to ask for one fragment; false when there is none at present. */
  takeToken(now: Ms): boolean {
    const gained = (REQUEST_TOKENS * Math.max(0, now - this.#tokensAt)) / 1000;
    this.#tokens = Math.min(REQUEST_TOKENS, this.#tokens + gained);
    this.#tokensAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Whether the same was asked for a moment ago: of two requests sent for safety one is answered. */
  isDoubled(now: Ms, number: number): boolean {
    this.#answered ??= new Map();
    const answered = this.#answered;
    const before = answered.get(number);
    if (before !== undefined && now - before < ANSWERED_MS) return true;
    answered.delete(number);
    for (const [old, at] of answered) {
      if (answered.size < ANSWERED_MAX && now - at < ANSWERED_MS) break;
      answered.delete(old);
    }
    answered.set(number, now);
    return false;
  }
}

/** Sub-streams pushed to all of them together. */
export function pushCount(receivers: Iterable<Receiver>): number {
  let count = 0;
  for (const { mask } of receivers) count += bitCount(mask);
  return count;
}
