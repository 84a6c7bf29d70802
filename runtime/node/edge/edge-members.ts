/**
 * What an edge tells its publishers and viewers of the other edges of its cluster: where to turn should it die, and,
 * when it is about to go away, to leave now. Each member gets the edges in an order of its own, so that those of one
 * edge do not all turn up at the same other one.
 */
import type { Random } from "../../base/prng.ts";
import type { Ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import { type Address, sameAddress } from "../../wire/address.ts";
import { EDGES_LIST_MAX } from "../../wire/control-cluster.ts";

/** Whoever was asked to leave and has not is asked again after this. */
const ASK_AGAIN_MS = 3000;

export class EdgeMembers {
  readonly #random: Random;
  readonly #sessions: () => Iterable<Session>;
  #others: readonly Address[] = [];
  readonly #askedAt = new WeakMap<Session, Ms>();

  /** `sessions`: those of all publishers and viewers. */
  constructor(random: Random, sessions: () => Iterable<Session>) {
    this.#random = random;
    this.#sessions = sessions;
  }

  /** A session stands. */
  welcome(now: Ms, session: Session): void {
    if (this.#others.length > 0) this.#tell(now, session, "edges", this.#others);
  }

  /** The other edges that would take members; told to all when they have changed. */
  setOthers(now: Ms, others: readonly Address[]): void {
    if (isSameSet(this.#others, others)) return;
    this.#others = others;
    for (const session of this.#sessions()) this.#tell(now, session, "edges", others);
  }

  /** Asks `max` of the members to go to the others; returns how many members there still are. */
  moveAway(now: Ms, max: number): number {
    let [asked, left] = [0, 0];
    for (const session of this.#sessions()) {
      left++;
      if (asked === max || this.#others.length === 0) continue;
      const at = this.#askedAt.get(session);
      if (at !== undefined && now - at < ASK_AGAIN_MS) continue;
      asked++;
      this.#askedAt.set(session, now);
      this.#tell(now, session, "move", this.#others);
    }
    return left;
  }

  #tell(now: Ms, session: Session, t: "edges" | "move", others: readonly Address[]): void {
    session.sendControl(now, { t, list: this.#shuffled(others).slice(0, EDGES_LIST_MAX) });
  }

  #shuffled(list: readonly Address[]): Address[] {
    const shuffled = [...list];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = Math.floor(this.#random.next() * (i + 1));
      [shuffled[i], shuffled[j]] = [shuffled[j] as Address, shuffled[i] as Address];
    }
    return shuffled;
  }
}

function isSameSet(a: readonly Address[], b: readonly Address[]): boolean {
  return a.length === b.length && a.every((one) => b.some((other) => sameAddress(one, other)));
}
