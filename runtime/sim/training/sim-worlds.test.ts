import { expect, setDefaultTimeout, test } from "bun:test";
import { drawScenario, playSimWorlds } from "./sim-worlds.ts";

/* A swarm is much to run on a machine with much else to do. */
setDefaultTimeout(60_000);

const WORLDS = { seeds: [1], viewers: 8, seconds: 4 };

test("worlds are valid scenarios, the same for the same seed, of all sorts over many", () => {
  expect(drawScenario(7, WORLDS)).toEqual(drawScenario(7, WORLDS));
  const losses = Array.from({ length: 40 }, (_, seed) => {
    const { network } = drawScenario(seed, WORLDS);
    return "percent" in network.loss ? network.loss.percent : 0;
  });
  expect(Math.min(...losses)).toBeLessThan(0.5);
  expect(Math.max(...losses)).toBeGreaterThan(6);
});

test("a swarm's requests are recorded, the same for the same seed", () => {
  const records = playSimWorlds(WORLDS, undefined);
  expect(records.length).toBeGreaterThan(0);
  for (const { budgetMs, hitRate, rttMs } of records) {
    expect(budgetMs).toBeGreaterThanOrEqual(0);
    expect(hitRate).toBeGreaterThanOrEqual(0);
    expect(rttMs).toBeGreaterThan(0);
  }
  expect(playSimWorlds(WORLDS, undefined)).toEqual(records);
});
