/** Draws from the distributions that a scenario names. */
import type { Random } from "../../base/prng.ts";
import type { Distribution } from "./schema.ts";

/**
 * One value; a bare number always is itself. Draws the same count of random numbers for the same
 * distribution.
 */
export function sample(distribution: Distribution, random: Random): number {
  if (typeof distribution === "number") return distribution;
  if ("uniform" in distribution) {
    const [from, to] = distribution.uniform;
    return from + (to - from) * random.next();
  }
  if ("lognormal" in distribution) {
    const { median, sigma } = distribution.lognormal;
    return median * Math.exp(sigma * normal(random));
  }
  if ("exponential" in distribution) {
    return -distribution.exponential.mean * Math.log(1 - random.next());
  }
  if ("pareto" in distribution) {
    const { median, alpha } = distribution.pareto;
    const least = median / 2 ** (1 / alpha);
    return least / (1 - random.next()) ** (1 / alpha);
  }
  return atPercentile(distribution.percentiles, random.next() * 100);
}

/** Straight lines between the points; flat beyond the first and the last. */
function atPercentile(points: Readonly<Record<string, number>>, percentile: number): number {
  const sorted = Object.entries(points)
    .map(([at, value]): [number, number] => [Number(at), value])
    .sort(([a], [b]) => a - b);
  const above = sorted.findIndex(([at]) => at >= percentile);
  const upper = sorted[above === -1 ? sorted.length - 1 : above] as [number, number];
  const lower = sorted[above === -1 ? sorted.length - 1 : Math.max(0, above - 1)] as [
    number,
    number,
  ];
  if (upper[0] === lower[0]) return upper[1];
  const part = (percentile - lower[0]) / (upper[0] - lower[0]);
  return lower[1] + (upper[1] - lower[1]) * Math.max(0, part);
}

/** Box and Muller, "A note on the generation of random normal deviates", 1958. */
function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  return radius * Math.cos(2 * Math.PI * random.next());
}
