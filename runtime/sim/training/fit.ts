/**
 * Fits a network to records by Adam (Kingma and Ba, 2015) on the log loss, in small batches, with a
 * step that shrinks to nothing. The same examples and seed give the same weights, to the bit.
 */
import type { Prng } from "../../base/prng.ts";
import { keepMonotone, Network, type NetworkShape, weightCount } from "../../score/network.ts";

/** Rows of inputs, one after the other, and what each row should give, 0 or 1. */
export interface Examples {
  readonly count: number;
  readonly inputs: Float64Array;
  readonly targets: Float64Array;
}

export interface FitOptions {
  readonly epochs: number;
  readonly batch: number;
  /** First step; it falls in a straight line to 0. */
  readonly rate: number;
  /** Pull of each weight towards 0 per step, as a share of the step. */
  readonly decay: number;
}

const MOMENTUM = 0.9;
const VARIANCE = 0.999;
const EPSILON = 1e-8;

export function fit(
  shape: NetworkShape,
  examples: Examples,
  options: FitOptions,
  random: Prng,
): Float32Array {
  const network = new Network(shape);
  const weights = initialWeights(shape, random);
  const steps = options.epochs * Math.ceil(examples.count / options.batch);
  keepMonotone(shape, weights);
  const adam = new Adam(weights, options, steps);
  const order = Uint32Array.from({ length: examples.count }, (_, i) => i);
  const gradient = new Float64Array(weights.length);
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    shuffle(order, random);
    for (let from = 0; from < order.length; from += options.batch) {
      const batch = order.subarray(from, from + options.batch);
      gradient.fill(0);
      for (const row of batch) {
        const inputs = rowOf(examples, row, shape.inputs);
        network.run(weights, inputs);
        network.gradient(weights, inputs, examples.targets[row] as number, gradient);
      }
      adam.step(gradient, 1 / batch.length);
      keepMonotone(shape, weights);
    }
  }
  return Float32Array.from(weights);
}

export function rowOf(examples: Examples, row: number, inputs: number): Float64Array {
  return examples.inputs.subarray(row * inputs, (row + 1) * inputs);
}

/**
 * Uniform within ± √(3 / inputs), so that a unit's sum has a variance of about 1; biases start at
 * 0.
 */
function initialWeights({ inputs, hidden }: NetworkShape, random: Prng): Float64Array {
  const weights = new Float64Array(weightCount({ inputs, hidden }));
  const fill = (from: number, count: number): void => {
    const reach = Math.sqrt(3 / count);
    for (let i = 0; i < count; i++) weights[from + i] = reach * (2 * random.next() - 1);
  };
  for (let h = 0; h < hidden; h++) fill(h * (inputs + 1), inputs);
  fill(hidden * (inputs + 1), hidden === 0 ? inputs : hidden);
  /* Turned around so that clamping the output's weights leaves none of them dead. */
  for (let i = hidden * (inputs + 1); i < weights.length && hidden > 0; i++) {
    weights[i] = Math.abs(weights[i] as number);
  }
  return weights;
}

class Adam {
  readonly #weights: Float64Array;
  readonly #options: FitOptions;
  readonly #steps: number;
  readonly #mean: Float64Array;
  readonly #square: Float64Array;
  #meanScale = 1;
  #squareScale = 1;
  #step = 0;

  constructor(weights: Float64Array, options: FitOptions, steps: number) {
    this.#weights = weights;
    this.#options = options;
    this.#steps = steps;
    this.#mean = new Float64Array(weights.length);
    this.#square = new Float64Array(weights.length);
  }

  step(gradient: Float64Array, scale: number): void {
    const rate = this.#options.rate * (1 - this.#step++ / this.#steps);
    this.#meanScale *= MOMENTUM;
    this.#squareScale *= VARIANCE;
    for (let i = 0; i < gradient.length; i++) {
      const slope = (gradient[i] as number) * scale;
      const mean = MOMENTUM * (this.#mean[i] as number) + (1 - MOMENTUM) * slope;
      const square = VARIANCE * (this.#square[i] as number) + (1 - VARIANCE) * slope * slope;
      this.#mean[i] = mean;
      this.#square[i] = square;
      const size = Math.sqrt(square / (1 - this.#squareScale)) + EPSILON;
      const weight = this.#weights[i] as number;
      const pull = this.#options.decay * weight;
      this.#weights[i] = weight - rate * (mean / (1 - this.#meanScale) / size + pull);
    }
  }
}

/** Fisher and Yates. */
function shuffle(order: Uint32Array, random: Prng): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
}
