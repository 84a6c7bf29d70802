/**
 * The affinity of a neighbour: the chance that a fragment asked of it now arrives in time. `mlp` is the small neural
 * network that ships; `linear` (the same inputs, no hidden layer), `rtt` and `random` are what it is compared with.
 * The two trained ones go on learning from what becomes of each request, but never leave a ball around the trained
 * weights: a neighbour that lies, or an hour of odd weather, cannot talk a peer out of what training knew.
 */
import type { Random } from "../base/prng.ts";
import {
  encodeNeighbour,
  NEIGHBOUR_INPUTS,
  NEIGHBOUR_SIGNS,
  type NeighbourFeatures,
} from "./features.ts";
import { keepMonotone, Network, type NetworkShape, weightCount } from "./network.ts";
import { LINEAR_WEIGHTS, MLP_WEIGHTS } from "./weights.ts";

export type ScorerKind = "mlp" | "linear" | "rtt" | "random";

export const SCORER_KINDS: readonly ScorerKind[] = ["mlp", "linear", "rtt", "random"];

export interface Scorer {
  readonly kind: ScorerKind;
  /**
   * Affinity, (0, 1]: the chance that a fragment asked of this neighbour now arrives within `budgetMs`. Pure, but for
   * `random`, which draws.
   */
  score(features: NeighbourFeatures, budgetMs: number): number;
  /** What became of one request; `features` as they were when it was asked. */
  learn(features: NeighbourFeatures, budgetMs: number, served: boolean): void;
}

const INPUTS_SHAPE = { inputs: NEIGHBOUR_INPUTS, signs: NEIGHBOUR_SIGNS };
export const MLP_SHAPE: NetworkShape = { ...INPUTS_SHAPE, hidden: 12 };
export const LINEAR_SHAPE: NetworkShape = { ...INPUTS_SHAPE, hidden: 0 };

/** The lowest score: nobody is so bad as never to be asked again, since even the worst may recover. */
export const SCORE_MIN = 0.001;

export interface Learning {
  /** Step of the online learning. */
  readonly rate: number;
  /** Radius of the ball around the trained weights, as a share of their length. */
  readonly radiusShare: number;
}

export const LEARNING: Learning = { rate: 0.05, radiusShare: 0.2 };

/** A scorer of one peer. `random` is drawn from by the kind `random` alone. */
export function createScorer(kind: ScorerKind, random: Random): Scorer {
  switch (kind) {
    case "mlp":
      return new TrainedScorer(kind, MLP_WEIGHTS);
    case "linear":
      return new TrainedScorer(kind, LINEAR_WEIGHTS);
    case "rtt":
      return new RttScorer();
    case "random":
      return new RandomScorer(random);
  }
}

/* One arithmetic unit and one scratch space for all peers of a process: calls never overlap. */
const MLP = new Network(MLP_SHAPE);
const LINEAR = new Network(LINEAR_SHAPE);
const INPUTS = new Float64Array(NEIGHBOUR_INPUTS);
const GRADIENT = new Float64Array(Math.max(weightCount(MLP.shape), weightCount(LINEAR.shape)));

/** Shares the trained weights until the first lesson, then has its own copy. */
export class TrainedScorer implements Scorer {
  readonly kind: "mlp" | "linear";
  readonly #network: Network;
  readonly #trained: Float32Array;
  readonly #learning: Learning;
  #weights: Float32Array;

  constructor(kind: "mlp" | "linear", trained: Float32Array, learning: Learning = LEARNING) {
    this.kind = kind;
    this.#network = kind === "mlp" ? MLP : LINEAR;
    this.#trained = trained;
    this.#learning = learning;
    this.#weights = trained;
  }

  score(features: NeighbourFeatures, budgetMs: number): number {
    encodeNeighbour(features, budgetMs, INPUTS);
    return Math.max(SCORE_MIN, this.#network.run(this.#weights, INPUTS));
  }

  learn(features: NeighbourFeatures, budgetMs: number, served: boolean): void {
    if (this.#weights === this.#trained) this.#weights = this.#trained.slice();
    const weights = this.#weights;
    const { rate, radiusShare } = this.#learning;
    encodeNeighbour(features, budgetMs, INPUTS);
    this.#network.run(weights, INPUTS);
    GRADIENT.fill(0);
    this.#network.gradient(weights, INPUTS, served ? 1 : 0, GRADIENT);
    for (let i = 0; i < weights.length; i++) {
      weights[i] = (weights[i] as number) - rate * (GRADIENT[i] as number);
    }
    keepMonotone(this.#network.shape, weights);
    keepWithin(weights, this.#trained, radiusShare);
  }

  /** How far it has moved from the trained weights, as a share of their length. */
  get drift(): number {
    return Math.sqrt(distanceSquared(this.#weights, this.#trained) / lengthSquared(this.#trained));
  }
}

/** Near first, and nothing else: half at an RTT of half the time left. */
class RttScorer implements Scorer {
  readonly kind = "rtt";

  score(features: NeighbourFeatures, budgetMs: number): number {
    const twoTripsMs = 2 * features.rttMs;
    return twoTripsMs === 0 ? 1 : Math.max(SCORE_MIN, budgetMs / (budgetMs + twoTripsMs));
  }

  learn(): void {}
}

/** Any neighbour as good as any other. */
class RandomScorer implements Scorer {
  readonly kind = "random";
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  score(): number {
    return Math.max(SCORE_MIN, this.#random.next());
  }

  learn(): void {}
}

/** Pulls `weights` back onto the ball around `centre` when they have left it. */
function keepWithin(weights: Float32Array, centre: Float32Array, share: number): void {
  const squared = distanceSquared(weights, centre);
  const radiusSquared = share * share * lengthSquared(centre);
  if (squared <= radiusSquared) return;
  const shrink = Math.sqrt(radiusSquared / squared);
  for (let i = 0; i < weights.length; i++) {
    const from = centre[i] as number;
    weights[i] = from + ((weights[i] as number) - from) * shrink;
  }
}

function distanceSquared(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
  return sum;
}

function lengthSquared(a: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) ** 2;
  return sum;
}
