/** The ways between regions, one for each direction, and how far apart two hosts of them are. */
import { Link, type LinkModel } from "./link.ts";

interface Path {
  readonly link: Link;
  /** Pairs of hosts differ by up to this much, ms one way; each pair keeps its own. */
  readonly spreadMs: number;
}

const REGIONS_MAX = 4096;

export class Paths {
  readonly #paths = new Map<number, Path>();

  set(from: number, to: number, model: LinkModel, spreadMs: number): Link {
    const link = new Link(model);
    this.#paths.set(from * REGIONS_MAX + to, { link, spreadMs });
    return link;
  }

  get(from: number, to: number): Path | undefined {
    return this.#paths.get(from * REGIONS_MAX + to);
  }

  /** Between any two of the regions it takes at least so long, ms: 0 where there is no path. */
  leastDelayMs(regions: ReadonlySet<number>): number {
    let least = Number.POSITIVE_INFINITY;
    for (const from of regions) {
      for (const to of regions) {
        least = Math.min(least, this.get(from, to)?.link.model.delayMs ?? 0);
      }
    }
    return least;
  }
}

/** A number in [0, 1) that a pair of hosts always has, whichever sends. */
export function pairShare(a: number, b: number): number {
  let hash = Math.imul(Math.min(a, b) + 1, 0x9e3779b1) ^ Math.imul(Math.max(a, b) + 1, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return ((hash ^ (hash >>> 15)) >>> 0) / 0x1_0000_0000;
}
