/** The streams this edge fetches from others: one copy of each, while somebody here wants it, and a little longer. */
import type { LinkReport } from "../../runtime/node/mesh/mesh-api.ts";
import { chooseSource } from "./choose-source.ts";
import type { ClusterView } from "./cluster-view.ts";

/** A stream that nobody wants is fetched for so long yet: the next viewer may be near. */
const LINGER_MS = 5000;

interface Subscription {
  from: string;
  wantedAt: number;
}

export interface Fetcher {
  want(stream: string, fromEdgeId: string): void;
  drop(stream: string): void;
}

export class Subscriptions {
  readonly #ownId: string;
  readonly #view: ClusterView;
  readonly #fetcher: Fetcher;
  readonly #all = new Map<string, Subscription>();

  constructor(ownId: string, view: ClusterView, fetcher: Fetcher) {
    this.#ownId = ownId;
    this.#view = view;
    this.#fetcher = fetcher;
  }

  /** Streams being fetched, and from where. */
  get sources(): ReadonlyMap<string, string> {
    return new Map([...this.#all].map(([stream, { from }]) => [stream, from]));
  }

  /** `demand`: streams that somebody here waits for and nobody publishes here. `links`: as measured here. */
  update(nowMs: number, demand: readonly string[], links: readonly LinkReport[]): void {
    for (const stream of demand) this.#want(nowMs, stream, links);
    for (const [stream, { wantedAt }] of this.#all) {
      const isOver = this.#view.holderOf(stream) === undefined;
      if (!isOver && nowMs - wantedAt < LINGER_MS) continue;
      this.#all.delete(stream);
      this.#fetcher.drop(stream);
    }
  }

  #want(nowMs: number, stream: string, links: readonly LinkReport[]): void {
    const holder = this.#view.holderOf(stream);
    if (holder === undefined) return;
    const known = this.#all.get(stream);
    const from = chooseSource({
      stream,
      ownId: this.#ownId,
      originId: holder.edgeId,
      others: this.#view.others,
      links,
      current: known?.from,
    });
    this.#all.set(stream, { from, wantedAt: nowMs });
    if (from !== known?.from) this.#fetcher.want(stream, from);
  }
}
