/**
 * Which edge a node turns to next: those it was just sent to first, then those its last edge named, then those it was
 * started with. An edge that has just failed comes last; each is tried once a round.
 */
import { type Address, sameAddress } from "../wire/address.ts";

/** Edges asked at the same time once one has failed: whoever answers first is had. */
const RACE_MAX = 3;

export class EdgeList {
  /** Those the node was started with. */
  readonly #own: readonly Address[];
  readonly #speaksIpv6: boolean;
  /** All that are known, each once. */
  all: readonly Address[];
  /** What is left of this round. */
  #round: Address[];

  constructor(own: readonly Address[]) {
    this.#own = own;
    this.all = unique(own);
    this.#speaksIpv6 = own.some(({ family }) => family === 6);
    this.#round = [...own];
  }

  /** An edge names others, best first; they replace those named before. */
  name(list: readonly Address[]): void {
    this.all = unique([...this.#reachable(list), ...this.#own]);
  }

  /** These first, then the others: the node was sent there. */
  prefer(list: readonly Address[]): void {
    this.#round = unique([...this.#reachable(list), ...this.all]);
  }

  /** A new round, in which `failed` comes last. */
  avoid(failed: Address): void {
    const others = this.all.filter((one) => !sameAddress(one, failed));
    this.#round = [...others, ...this.all.filter((one) => sameAddress(one, failed))];
  }

  /** Whether there is an edge besides this one. */
  hasOther(than: Address): boolean {
    if (this.all.length === 1 && this.all[0] === than) return false;
    return this.all.some((one) => !sameAddress(one, than));
  }

  /** The next to try, several of them when `isRace`; `except` is not among them while there is another. */
  next(isRace: boolean, except?: Address): readonly Address[] {
    if (this.#round.length === 0) this.#round = [...this.all];
    const count = isRace ? RACE_MAX : 1;
    const wanted = this.#round.filter(
      (one) => except === undefined || !sameAddress(one, except) || this.#round.length === 1,
    );
    const taken = wanted.slice(0, count);
    this.#round = this.#round.filter((one) => !taken.includes(one));
    return taken;
  }

  /** Of those asked together one has answered: the others are still to be tried. */
  putBack(asked: readonly Address[], answered: Address): void {
    this.#round.unshift(...asked.filter((one) => !sameAddress(one, answered)));
  }

  /** Edges of this round are left. */
  get isMidRound(): boolean {
    return this.#round.length > 0;
  }

  /** A node whose socket was bound for IPv4 alone can't use the others' IPv6 addresses. */
  #reachable(list: readonly Address[]): readonly Address[] {
    return list.filter(({ family }) => family === 4 || this.#speaksIpv6);
  }
}

function unique(list: readonly Address[]): Address[] {
  return list.filter((one, i) => list.findIndex((other) => sameAddress(one, other)) === i);
}
