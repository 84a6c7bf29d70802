/** How good predicted chances are: log loss (how right they are) and AUC (how well they rank). */

export interface Quality {
  /** Mean of −ln p(what happened), natural units; 0.693 is a coin's. */
  readonly logLoss: number;
  /**
   * Chance that a served request was given a higher score than one that was not; 0.5 is a coin's.
   */
  readonly auc: number;
}

const CHANCE_MIN = 1e-6;

export function qualityOf(chances: Float64Array, targets: Float64Array): Quality {
  let loss = 0;
  for (let i = 0; i < chances.length; i++) {
    const chance = targets[i] === 1 ? (chances[i] as number) : 1 - (chances[i] as number);
    loss -= Math.log(Math.max(CHANCE_MIN, chance));
  }
  return { logLoss: loss / chances.length, auc: areaUnderCurve(chances, targets) };
}

/** By ranks (Mann and Whitney), ties counting half; 0.5 when all targets are alike. */
function areaUnderCurve(chances: Float64Array, targets: Float64Array): number {
  const order = Array.from(chances.keys()).sort(
    (a, b) => (chances[a] as number) - (chances[b] as number),
  );
  let served = 0;
  let rankSum = 0;
  for (let from = 0; from < order.length; ) {
    let to = from;
    const chance = chances[order[from] as number];
    while (to < order.length && chances[order[to] as number] === chance) to++;
    const rank = (from + to + 1) / 2;
    for (let i = from; i < to; i++) {
      if (targets[order[i] as number] !== 1) continue;
      served++;
      rankSum += rank;
    }
    from = to;
  }
  const missed = order.length - served;
  if (served === 0 || missed === 0) return 0.5;
  return (rankSum - (served * (served + 1)) / 2) / (served * missed);
}
