/**
 * A neural network of one hidden layer and one output, a probability. Both activations are the algebraic sigmoid
 * a(x) = x / √(1 + x²): unlike those of exp and tanh its operations are fixed to the bit by IEEE 754, so the same
 * weights give the same scores, and the same seed the same weights, on every machine. Without hidden units: linear.
 *
 *   weights: hidden × (inputs weights, bias) │ hidden output weights, output bias        (hidden > 0)
 *            inputs weights, bias                                                        (hidden = 0)
 */
import { assert } from "../base/assert.ts";

export interface NetworkShape {
  readonly inputs: number;
  /** 0: linear. */
  readonly hidden: number;
  /** For each input 1 when the output must never fall as it grows, −1 never rise, 0 either. None: all 0. */
  readonly signs?: readonly number[];
}

export function weightCount({ inputs, hidden }: NetworkShape): number {
  return hidden === 0 ? inputs + 1 : hidden * (inputs + 1) + hidden + 1;
}

/**
 * Clamps the weights so that the output is monotone in the inputs that have a sign: output weights ≥ 0, which loses
 * nothing since a hidden unit can be turned around, and each signed input's weights on its side of 0 (Sill, "Monotonic
 * networks", 1998). What training happened to see then cannot make a liar's claim count for it.
 */
export function keepMonotone(shape: NetworkShape, weights: Float32Array | Float64Array): void {
  const { inputs, hidden, signs } = shape;
  if (signs === undefined) return;
  assert(signs.length === inputs, "network: a sign for each input");
  for (let h = 0; h < Math.max(1, hidden); h++) {
    for (let i = 0; i < inputs; i++) {
      const at = h * (inputs + 1) + i;
      if ((signs[i] as number) * (weights[at] as number) < 0) weights[at] = 0;
    }
  }
  const outputAt = hidden * (inputs + 1);
  for (let h = 0; h < hidden; h++) {
    weights[outputAt + h] = Math.max(0, weights[outputAt + h] as number);
  }
}

/**
 * One network's arithmetic and its scratch space; it owns no weights, so that many nodes share one. Calls are not
 * reentrant: `gradient` uses the activations that the latest `run` left.
 */
export class Network {
  readonly shape: NetworkShape;
  readonly #activations: Float64Array;
  /** Of the latest run: the output before it became a probability, −1..1. */
  #output = 0;

  constructor(shape: NetworkShape) {
    this.shape = shape;
    this.#activations = new Float64Array(shape.hidden);
  }

  /** The probability that the inputs mean "yes", 0..1. */
  run(weights: Float32Array | Float64Array, inputs: Float64Array): number {
    const { inputs: count, hidden } = this.shape;
    assert(weights.length === weightCount(this.shape), "network: weights of another shape");
    assert(inputs.length === count, "network: inputs of another shape");
    let at = 0;
    for (let h = 0; h < hidden; h++) {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += (weights[at++] as number) * (inputs[i] as number);
      this.#activations[h] = sigmoid(sum + (weights[at++] as number));
    }
    const last = hidden === 0 ? inputs : this.#activations;
    let sum = 0;
    for (let i = 0; i < last.length; i++) sum += (weights[at++] as number) * (last[i] as number);
    this.#output = sigmoid(sum + (weights[at] as number));
    return (1 + this.#output) / 2;
  }

  /**
   * Adds to `gradient` the slope of the log loss −ln p(target) at each weight, for the inputs of the latest `run`.
   * With p = (1 + a(z)) / 2 it is, before the output, dL/dz = 2 (p − target) √(1 − a²).
   */
  gradient(
    weights: Float32Array | Float64Array,
    inputs: Float64Array,
    target: number,
    gradient: Float64Array,
  ): void {
    const { inputs: count, hidden } = this.shape;
    const slope = (1 + this.#output - 2 * target) * Math.sqrt(1 - this.#output * this.#output);
    const outputAt = hidden * (count + 1);
    const last = hidden === 0 ? inputs : this.#activations;
    for (let i = 0; i < last.length; i++) add(gradient, outputAt + i, slope * (last[i] as number));
    add(gradient, outputAt + last.length, slope);
    let at = 0;
    for (let h = 0; h < hidden; h++) {
      const activation = this.#activations[h] as number;
      const flatness = 1 - activation * activation;
      const back = slope * (weights[outputAt + h] as number) * flatness * Math.sqrt(flatness);
      for (let i = 0; i < count; i++) add(gradient, at++, back * (inputs[i] as number));
      add(gradient, at++, back);
    }
  }
}

/** −1..1; its slope is (1 − a²)^1.5. */
function sigmoid(x: number): number {
  return x / Math.sqrt(1 + x * x);
}

function add(target: Float64Array, at: number, value: number): void {
  target[at] = (target[at] as number) + value;
}
