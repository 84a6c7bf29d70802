import { describe, expect, test } from "bun:test";
import { createSwarmParams, SWARM_PARAMS } from "./swarm-params.ts";

describe("the swarm's parameters", () => {
  test("are put together from the usual ones and what overrides them, and frozen", () => {
    const params = createSwarmParams({ childrenMax: 12 });
    expect(params).toEqual({ ...SWARM_PARAMS, childrenMax: 12 });
    expect(Object.isFrozen(params)).toBe(true);
  });

  test.each([
    { subStreams: 0 },
    { subStreams: 33 },
    { childrenMax: 256 },
    { childrenFirst: 50, childrenMax: 40 },
    { slotHeadroom: 1.3, slotReliefAbove: 1.2 },
    { pushShare: 0.9 },
    { pushShare: 0 },
    { replaceHysteresis: 1 },
  ])("that contradict each other are refused: %j", (over) => {
    expect(() => createSwarmParams(over)).toThrow("swarm:");
  });
});
