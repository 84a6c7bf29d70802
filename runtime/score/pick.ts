/**
 * Drawing by score: the best neighbour is asked most, but not alone. Always asking the best one would turn it into the
 * worst, and nothing would be learnt of the others.
 */
import type { Random } from "../base/prng.ts";

/**
 * Draws one index below `count` with probability proportional to its weight cubed: a neighbour half as likely to serve
 * is asked an eighth as often (in the model of the swarm, hit rate cubed was the best defence against slow peers).
 * Weights ≤ 0 are never drawn; −1 when there is none above 0.
 */
export function drawWeighted(weights: ArrayLike<number>, count: number, random: Random): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += cube(weights[i] as number);
  if (!(total > 0)) return -1;
  let rest = random.next() * total;
  let last = -1;
  for (let i = 0; i < count; i++) {
    const weight = cube(weights[i] as number);
    if (weight <= 0) continue;
    last = i;
    rest -= weight;
    if (rest < 0) return i;
  }
  return last; /* rounding left a crumb */
}

function cube(weight: number): number {
  return weight > 0 ? weight * weight * weight : 0;
}
