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

interface Feed {
  /** By sub-stream: host, and when it pushed last. */
  readonly from: Int32Array;
  readonly atMs: Float64Array;
}

export class PushTree {
  readonly #subStreams: number;
  readonly #feeds = new Map<number, Feed>();

  constructor(subStreams: number) {
    this.#subStreams = subStreams;
  }

  /** A media packet from host `from` is handed to host `to`; only pushes count. */
  handleMedia(now: number, from: number, to: number, data: Uint8Array): void {
    if ((((data[FLAGS_AT] ?? 0) >> 5) & 3) !== PHASE_PUSH) return;
    let feed = this.#feeds.get(to);
    if (feed === undefined) {
      feed = {
        from: new Int32Array(this.#subStreams).fill(-1),
        atMs: new Float64Array(this.#subStreams),
      };
      this.#feeds.set(to, feed);
    }
    const k = u32(data, NUMBER_AT) % this.#subStreams;
    feed.from[k] = from;
    feed.atMs[k] = now;
  }

  forget(host: number): void {
    this.#feeds.delete(host);
  }

  /** Host that pushes sub-stream k to `host` at present; −1 = nobody. */
  pusherOf(now: number, host: number, k: number): number {
    const feed = this.#feeds.get(host);
    if (feed === undefined || now - (feed.atMs[k] as number) > FRESH_MS) return -1;
    return feed.from[k] as number;
  }

  /** Hosts other than `edge` that push sub-stream k to anybody. */
  holdersOf(now: number, k: number, edge: number): Set<number> {
    const holders = new Set<number>();
    for (const host of this.#feeds.keys()) {
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
    for (const host of this.#feeds.keys()) {
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
