/**
 * The streams of an edge by name: one is made when somebody first wants it, and goes when it is of
 * no use to anybody.
 */
import type { Ms } from "../../base/time.ts";
import type { EdgeEvent, EdgeOptions, EdgeStreamStats, LinkStats } from "../api.ts";
import type { StreamPresence } from "../cluster-api.ts";
import { linkStats } from "../link-stats.ts";
import type { NodeEnvironment } from "../node.ts";
import { SWARM_PARAMS } from "../swarm-params.ts";
import { EdgeIngest } from "./edge-ingest.ts";
import type { FanRounds } from "./fan-round.ts";
import { Outlet, type OutletTap } from "./outlet.ts";

export class EdgeIngests {
  readonly #env: NodeEnvironment;
  readonly #options: EdgeOptions;
  readonly #emit: (event: EdgeEvent) => void;
  readonly #rounds: FanRounds;
  readonly #byName = new Map<string, EdgeIngest>();
  /** Where a stream goes besides. */
  tapOf: (name: string) => OutletTap | undefined = () => undefined;

  constructor(
    env: NodeEnvironment,
    options: EdgeOptions,
    rounds: FanRounds,
    emit: (event: EdgeEvent) => void,
  ) {
    this.#env = env;
    this.#rounds = rounds;
    this.#options = options;
    this.#emit = emit;
  }

  get size(): number {
    return this.#byName.size;
  }

  /** Streams with a live publisher. */
  get liveCount(): number {
    return this.sum(({ isLive }) => (isLive ? 1 : 0));
  }

  values(): IterableIterator<EdgeIngest> {
    return this.#byName.values();
  }

  get(name: string): EdgeIngest | undefined {
    return this.#byName.get(name);
  }

  /** The stream of that name, made if need be. */
  open(name: string): EdgeIngest {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const { retainMs, groupMsMax, swarm = SWARM_PARAMS } = this.#options;
    const retention = { retainMs, groupMsMax };
    const outlet = new Outlet(this.#env.hot, name, this.#rounds, this.tapOf(name));
    const ingest = new EdgeIngest(this.#env, outlet, retention, swarm, this.#emit);
    this.#byName.set(name, ingest);
    return ingest;
  }

  /** What is published here, or may be again at once, and what is waited for here. */
  presence(): StreamPresence {
    const all = [...this.#byName.values()];
    return {
      published: all.filter(({ isHeld }) => isHeld).map(({ outlet }) => outlet.name),
      wanted: all.filter(({ unserved }) => unserved > 0).map(({ outlet }) => outlet.name),
    };
  }

  stats(now: Ms): EdgeStreamStats[] {
    const stats: EdgeStreamStats[] = [];
    for (const ingest of this.#byName.values()) {
      const one = ingest.stats(now);
      if (one !== undefined) stats.push(one);
    }
    return stats;
  }

  /** Sessions of a stream's viewers, at most `limit`. */
  links(now: Ms, stream: string, limit: number): LinkStats[] {
    const found: LinkStats[] = [];
    for (const session of this.get(stream)?.outlet.receivers.keys() ?? []) {
      if (found.length === limit) break;
      found.push(linkStats(now, session));
    }
    return found;
  }

  delete(ingest: EdgeIngest): void {
    this.#byName.delete(ingest.outlet.name);
  }

  clear(): void {
    this.#byName.clear();
  }

  sum(of: (ingest: EdgeIngest) => number): number {
    let sum = 0;
    for (const ingest of this.#byName.values()) sum += of(ingest);
    return sum;
  }

  /** Whether a publisher of `stream` would be one too many; one that takes its stream over is not. */
  isFullFor(stream: string): boolean {
    const { maxPublishers } = this.#options;
    if (maxPublishers === undefined || this.get(stream)?.isLive === true) return false;
    return this.liveCount >= maxPublishers;
  }
}
