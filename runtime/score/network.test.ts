import { describe, expect, test } from "bun:test";
import { Prng } from "../base/prng.ts";
import { keepMonotone, Network, type NetworkShape, weightCount } from "./network.ts";

const STEP = 1e-5;

function uniform(count: number, random: Prng): Float64Array {
  return Float64Array.from({ length: count }, () => 2 * random.next() - 1);
}

function loss(network: Network, weights: Float64Array, inputs: Float64Array, target: number) {
  const chance = network.run(weights, inputs);
  return -Math.log(target === 1 ? chance : 1 - chance);
}

describe("a network", () => {
  const shapes: NetworkShape[] = [
    { inputs: 5, hidden: 0 },
    { inputs: 5, hidden: 1 },
    { inputs: 12, hidden: 12 },
  ];
  for (const shape of shapes) {
    test(`of ${shape.inputs} inputs and ${shape.hidden} hidden units knows its slopes`, () => {
      const random = new Prng(1);
      const network = new Network(shape);
      for (let round = 0; round < 20; round++) {
        const weights = uniform(weightCount(shape), random);
        const inputs = uniform(shape.inputs, random);
        const target = round % 2;
        const gradient = new Float64Array(weights.length);
        network.run(weights, inputs);
        network.gradient(weights, inputs, target, gradient);
        for (let i = 0; i < weights.length; i++) {
          const nudged = (by: number): number => {
            const moved = weights.slice();
            moved[i] = (moved[i] as number) + by;
            return loss(network, moved, inputs, target);
          };
          const slope = (nudged(STEP) - nudged(-STEP)) / (2 * STEP);
          expect(Math.abs((gradient[i] as number) - slope)).toBeLessThan(1e-7);
        }
      }
    });
  }

  test("adds to the gradient that is there", () => {
    const shape = { inputs: 3, hidden: 2 };
    const network = new Network(shape);
    const weights = uniform(weightCount(shape), new Prng(2));
    const inputs = Float64Array.of(0.5, -0.2, 1);
    const once = new Float64Array(weights.length);
    const twice = new Float64Array(weights.length);
    network.run(weights, inputs);
    network.gradient(weights, inputs, 1, once);
    network.gradient(weights, inputs, 1, twice);
    network.gradient(weights, inputs, 1, twice);
    for (const [i, slope] of once.entries()) expect(twice[i]).toBeCloseTo(2 * slope, 12);
  });

  test("says a coin's chance without weights, and stays within 0..1 with huge ones", () => {
    const network = new Network({ inputs: 2, hidden: 2 });
    const inputs = Float64Array.of(1, 1);
    expect(network.run(new Float32Array(9), inputs)).toBe(0.5);
    const high = network.run(new Float32Array(9).fill(1e30), inputs);
    const low = network.run(new Float32Array(9).fill(-1e30), inputs);
    expect(high).toBeGreaterThan(0.9);
    expect(high).toBeLessThanOrEqual(1);
    expect(low).toBeGreaterThanOrEqual(0);
  });

  test("is made monotone in the inputs that have a sign", () => {
    const random = new Prng(4);
    for (const hidden of [0, 3]) {
      const shape: NetworkShape = { inputs: 3, hidden, signs: [1, -1, 0] };
      const network = new Network(shape);
      for (let round = 0; round < 200; round++) {
        const weights = uniform(weightCount(shape), random);
        keepMonotone(shape, weights);
        const [x, y, z] = uniform(3, random) as unknown as [number, number, number];
        const up = random.next();
        const before = network.run(weights, Float64Array.of(x, y, z));
        expect(network.run(weights, Float64Array.of(x + up, y - up, z))).not.toBeLessThan(before);
      }
    }
  });

  test("refuses weights of another shape", () => {
    const network = new Network({ inputs: 2, hidden: 2 });
    expect(() => network.run(new Float32Array(8), Float64Array.of(1, 1))).toThrow("another shape");
  });
});
