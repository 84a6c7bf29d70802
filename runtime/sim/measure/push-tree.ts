/**
 * Who pushes which sub-stream to whom, as the network sees it: for each viewer and sub-stream the
 * host from which the last pushed fragment came. From it: who acts as a super node, and how deep
 * the tree is.
 */
import { FRAGMENT_HEADER_BYTES, NUMBERED_BYTES, u32 } from "../../wire/packet.ts";

const NUMBER_AT = NUMBERED_BYTES + 2;
const FLAGS_AT = NUMBERED_BYTES + FRAGMENT_HEADER_BYTES - 1;
const PHASE_PUSH = 0;
/** A pusher not heard of for this long is none any more. */
const FRESH_MS = 1500;
const FEED_WORDS = 2;
const NEVER = Number.NEGATIVE_INFINITY;

export class PushTree {
  readonly #subStreams: number;
  /** By host and sub-stream: who pushed last, and when. All in one memory: every packet asks. */
  #feeds = new Float64Array(0);
  readonly #hosts = new Set<number>();

  constructor(subStreams: number) {
    this.#subStreams = subStreams;
  }

  /** A media packet from host `from` is handed to host `to`; only pushes count. */
  handleMedia(now: number, from: number, to: number, data: Uint8Array): void {
    if ((((data[FLAGS_AT] ?? 0) >> 5) & 3) !== PHASE_PUSH) return;
    const subStreams = this.#subStreams;
    if ((to + 1) * subStreams * FEED_WORDS > this.#feeds.length) this.#grow(to);
    const at = (to * subStreams + (u32(data, NUMBER_AT) % subStreams)) * FEED_WORDS;
    if (this.#feeds[at + 1] === NEVER) this.#hosts.add(to);
    this.#feeds[at] = from;
    this.#feeds[at + 1] = now;
  }

  #grow(host: number): void {
    const before = this.#feeds;
    this.#feeds = new Float64Array(2 * (host + 1) * this.#subStreams * FEED_WORDS).fill(NEVER);
    this.#feeds.set(before);
  }

  forget(host: number): void {
    const words = this.#subStreams * FEED_WORDS;
    this.#feeds.fill(NEVER, host * words, (host + 1) * words);
    this.#hosts.delete(host);
  }

  /** Host that pushes sub-stream k to `host` at present; −1 = nobody. */
  pusherOf(now: number, host: number, k: number): number {
    const at = (host * this.#subStreams + k) * FEED_WORDS;
    if (!(now - (this.#feeds[at + 1] ?? NEVER) <= FRESH_MS)) return -1;
    return this.#feeds[at] as number;
  }

  /** Hosts other than `edge` that push sub-stream k to anybody. */
  holdersOf(now: number, k: number, edge: number): Set<number> {
    const holders = new Set<number>();
    for (const host of this.#hosts) {
      const pusher = this.pusherOf(now, host, k);
      if (pusher >= 0 && pusher !== edge) holders.add(pusher);
    }
    return holders;
  }

  /** Hosts other than `edge` that push anything to anybody. */
  holders(now: number, edge: number): Set<number> {
    const all = new Set<number>();
    for (let k = 0; k < this.#subStreams; k++) {
      for (const host of this.holdersOf(now, k, edge)) all.add(host);
    }
    return all;
  }

  /**
   * How many (viewer, sub-stream) feeds there are, and how many of them come by way of two peers or
   * more. A host that is not fed a sub-stream itself at present is taken to pass on what it has
   * pulled.
   */
  depth(now: number, edge: number): { readonly feeds: number; readonly tooDeep: number } {
    let feeds = 0;
    let tooDeep = 0;
    for (const host of this.#hosts) {
      for (let k = 0; k < this.#subStreams; k++) {
        const pusher = this.pusherOf(now, host, k);
        if (pusher < 0) continue;
        feeds++;
        const above = pusher === edge ? edge : this.pusherOf(now, pusher, k);
        if (above !== edge && above >= 0) tooDeep++;
      }
    }
    return { feeds, tooDeep };
  }
}
