/**
 * A peer amid synthetic neighbours: it asks for missing fragments, chooses by a scorer, and sees
 * what becomes of each request. Traces to train on and the closed-loop comparison of scorers both
 * come from here.
 */
import type { Random } from "../../base/prng.ts";
import { Prng } from "../../base/prng.ts";
import type { NeighbourFeatures } from "../../score/features.ts";
import { drawWeighted } from "../../score/pick.ts";
import type { Scorer } from "../../score/scorer.ts";
import { PriorNeighbour } from "./prior-neighbour.ts";
import { between, drawWorld, type PriorWorld, type WorldKind } from "./prior-world.ts";
import type { OutcomeRecord } from "./trace.ts";

export interface RoomOptions {
  readonly kind: WorldKind;
  readonly seed: number;
  readonly neighbours: number;
  readonly seconds: number;
}

export interface RoomResult {
  readonly asked: number;
  readonly served: number;
}

interface Pending {
  readonly neighbour: PriorNeighbour;
  readonly features: NeighbourFeatures;
  readonly budgetMs: number;
  readonly answerMs: number;
  readonly resolvesMs: number;
}

/** Share of neighbours whose map shows the fragment that is missing. */
const HAVE_SHARE = 0.6;
/**
 * Given up after the RTT and this, unless less time is left (`pullPatienceMs` of the swarm's
 * parameters), ms.
 */
const PATIENCE_MS = 40;

/**
 * Plays one room from its seed to its end. `onOutcome` sees each request as a record of a trace.
 */
export function playRoom(
  options: RoomOptions,
  scorer: Scorer,
  onOutcome?: (record: OutcomeRecord) => void,
): RoomResult {
  const random = new Prng(options.seed);
  const world = drawWorld(options.kind, random);
  const room = new Room(world, options, scorer, random, onOutcome);
  return room.play();
}

class Room {
  readonly #world: PriorWorld;
  readonly #options: RoomOptions;
  readonly #scorer: Scorer;
  readonly #random: Random;
  readonly #onOutcome: ((record: OutcomeRecord) => void) | undefined;
  readonly #neighbours: PriorNeighbour[] = [];
  readonly #weights: Float64Array;
  #pending: Pending[] = [];
  #asked = 0;
  #served = 0;

  constructor(
    world: PriorWorld,
    options: RoomOptions,
    scorer: Scorer,
    random: Random,
    onOutcome: ((record: OutcomeRecord) => void) | undefined,
  ) {
    this.#world = world;
    this.#options = options;
    this.#scorer = scorer;
    this.#random = random;
    this.#onOutcome = onOutcome;
    this.#weights = new Float64Array(options.neighbours);
    for (let i = 0; i < options.neighbours; i++) this.#meet(i, 0);
  }

  play(): RoomResult {
    const random = this.#random;
    const endMs = this.#options.seconds * 1000;
    for (let nowMs = 0; nowMs < endMs; ) {
      /* Losses come in groups: a key frame, a parent that went. */
      const gapMs = random.next() < 0.7 ? between(random, 1, 15) : between(random, 50, 500);
      nowMs += gapMs;
      this.#resolveUpTo(nowMs);
      for (let i = 0; i < this.#neighbours.length; i++) {
        const neighbour = this.#neighbours[i] as PriorNeighbour;
        if (neighbour.isForgotten(nowMs)) this.#meet(i, nowMs);
        else neighbour.advance(nowMs, gapMs);
      }
      this.#ask(nowMs);
    }
    this.#resolveUpTo(Number.POSITIVE_INFINITY);
    return { asked: this.#asked, served: this.#served };
  }

  #meet(i: number, nowMs: number): void {
    this.#neighbours[i] = new PriorNeighbour(this.#world, this.#random, nowMs);
  }

  #ask(nowMs: number): void {
    const random = this.#random;
    const leftMs = between(random, 40, 350);
    for (const [i, neighbour] of this.#neighbours.entries()) {
      const features = neighbour.featuresAt(nowMs);
      const has = random.next() < HAVE_SHARE;
      const budgetMs = Math.min(leftMs, features.rttMs + PATIENCE_MS);
      this.#weights[i] = has ? this.#scorer.score(features, budgetMs) : 0;
    }
    const chosen = drawWeighted(this.#weights, this.#neighbours.length, random);
    if (chosen === -1) return;
    const neighbour = this.#neighbours[chosen] as PriorNeighbour;
    const features = { ...neighbour.featuresAt(nowMs) };
    const budgetMs = Math.min(leftMs, features.rttMs + PATIENCE_MS);
    const answerMs = neighbour.ask(nowMs);
    const resolvesMs = nowMs + Math.min(answerMs, budgetMs);
    this.#pending.push({ neighbour, features, budgetMs, answerMs, resolvesMs });
  }

  #resolveUpTo(nowMs: number): void {
    const due = this.#pending.filter(({ resolvesMs }) => resolvesMs <= nowMs);
    if (due.length === 0) return;
    this.#pending = this.#pending.filter(({ resolvesMs }) => resolvesMs > nowMs);
    due.sort((a, b) => a.resolvesMs - b.resolvesMs);
    for (const { neighbour, features, budgetMs, answerMs } of due) {
      const served = answerMs <= budgetMs;
      neighbour.resolve(served, answerMs);
      this.#scorer.learn(features, budgetMs, served);
      this.#onOutcome?.({ ...features, budgetMs, served });
      this.#asked++;
      if (served) this.#served++;
    }
  }
}
