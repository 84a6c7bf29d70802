import { describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import type { NetworkShape } from "../../score/network.ts";
import { Network } from "../../score/network.ts";
import { type Examples, fit, rowOf } from "./fit.ts";
import { qualityOf } from "./quality.ts";

const OPTIONS = { epochs: 60, batch: 32, rate: 0.02, decay: 0 };

/** Points of a square, and whether their signs differ: nothing a straight line can tell. */
function exclusiveOr(count: number, seed: number): Examples {
  const random = new Prng(seed);
  const inputs = Float64Array.from({ length: 2 * count }, () => 2 * random.next() - 1);
  const targets = Float64Array.from({ length: count }, (_, row) => {
    return (inputs[2 * row] as number) * (inputs[2 * row + 1] as number) < 0 ? 1 : 0;
  });
  return { count, inputs, targets };
}

function aucOf(shape: NetworkShape, weights: Float32Array, examples: Examples): number {
  const network = new Network(shape);
  const chances = Float64Array.from({ length: examples.count }, (_, row) =>
    network.run(weights, rowOf(examples, row, shape.inputs)),
  );
  return qualityOf(chances, examples.targets).auc;
}

describe("fitting", () => {
  test("finds what only a hidden layer can say", () => {
    const mlp = { inputs: 2, hidden: 8 };
    const linear = { inputs: 2, hidden: 0 };
    const examples = exclusiveOr(1000, 1);
    const unseen = exclusiveOr(1000, 2);
    const fitted = fit(mlp, examples, OPTIONS, new Prng(1));
    expect(aucOf(mlp, fitted, unseen)).toBeGreaterThan(0.97);
    const straight = fit(linear, examples, OPTIONS, new Prng(1));
    expect(aucOf(linear, straight, unseen)).toBeLessThan(0.65);
  });

  test("gives the same bytes for the same seed, others for another", () => {
    const shape = { inputs: 2, hidden: 4 };
    const examples = exclusiveOr(200, 1);
    const bytes = (seed: number): Uint8Array =>
      new Uint8Array(fit(shape, examples, { ...OPTIONS, epochs: 3 }, new Prng(seed)).buffer);
    expect(bytes(1)).toEqual(bytes(1));
    expect(bytes(1)).not.toEqual(bytes(2));
  });

  test("stays monotone where it must, against the examples", () => {
    const shape = { inputs: 2, hidden: 4, signs: [-1, 0] };
    const random = new Prng(3);
    const inputs = Float64Array.from({ length: 400 }, () => 2 * random.next() - 1);
    const targets = Float64Array.from({ length: 200 }, (_, row) =>
      (inputs[2 * row] as number) > 0 ? 1 : 0,
    );
    const weights = fit(shape, { count: 200, inputs, targets }, OPTIONS, new Prng(1));
    const network = new Network(shape);
    const low = network.run(weights, Float64Array.of(-1, 0));
    expect(network.run(weights, Float64Array.of(1, 0))).not.toBeGreaterThan(low);
  });
});

describe("quality", () => {
  const targets = Float64Array.of(0, 0, 1, 1);

  test("of a perfect order is 1, of a reversed one 0, of a constant one half", () => {
    expect(qualityOf(Float64Array.of(0.1, 0.2, 0.3, 0.4), targets).auc).toBe(1);
    expect(qualityOf(Float64Array.of(0.4, 0.3, 0.2, 0.1), targets).auc).toBe(0);
    expect(qualityOf(Float64Array.of(0.5, 0.5, 0.5, 0.5), targets).auc).toBe(0.5);
  });

  test("counts ties half", () => {
    expect(qualityOf(Float64Array.of(0.1, 0.3, 0.3, 0.4), targets).auc).toBe(0.875);
  });

  test("log loss of a coin is ln 2", () => {
    const { logLoss } = qualityOf(new Float64Array(4).fill(0.5), targets);
    expect(logLoss).toBeCloseTo(Math.LN2, 10);
  });
});
