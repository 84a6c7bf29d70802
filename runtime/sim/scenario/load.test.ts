import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadScenario, parseScenario, scenarioNames } from "./load.ts";
import { scenarioJsonSchema } from "./schema.ts";

const minimal = {
  name: "tiny",
  seconds: 5,
  edges: [{ name: "edge" }],
  viewers: { count: 2, classes: [{ name: "all", share: 1 }] },
};

describe("a scenario", () => {
  test("that ships can be read, bears its file's name, and states gates", () => {
    expect(scenarioNames().length).toBeGreaterThan(0);
    for (const name of scenarioNames()) {
      const { scenario } = loadScenario(name);
      expect(scenario.name).toBe(name);
      expect([name, Object.keys(scenario.gates).length > 0]).toEqual([name, true]);
    }
  });

  test("needs to say little", () => {
    const scenario = parseScenario(minimal, "test");
    expect(scenario.network.regions).toEqual([{ name: "all", share: 1 }]);
    expect(scenario.viewers.classes[0]?.nat).toEqual({ open: 1 });
  });

  test("is refused with a line that says where and why", () => {
    const wrong: [object, RegExp][] = [
      [{ ...minimal, seconds: 0 }, /test: seconds: /],
      [{ ...minimal, speed: 2 }, /speed/],
      [{ ...minimal, warmupSeconds: 5 }, /warmupSeconds: must be less than seconds/],
      [
        { ...minimal, edges: [{ name: "edge", region: "moon" }] },
        /no region "moon"; there are: all/,
      ],
      [{ ...minimal, swarm: { subStream: 4 } }, /swarm/],
      [
        { ...minimal, viewers: { count: 2, classes: [{ name: "all", share: 0.9 }] } },
        /viewers.classes: shares must add up to 1/,
      ],
    ];
    for (const [json, message] of wrong) expect(() => parseScenario(json, "test")).toThrow(message);
    expect(() => loadScenario("no-such-thing")).toThrow(/there are: /);
  });

  test("is described by the JSON Schema that is published", () => {
    const file = join(import.meta.dir, "scenario.schema.json");
    /* Made anew by `npm run sim -- --schema`. */
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(JSON.parse(scenarioJsonSchema()));
  });
});
