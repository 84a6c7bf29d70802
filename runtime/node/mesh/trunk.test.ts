import { describe, expect, test } from "bun:test";
import { MeshWorld } from "../../sim/mesh/mesh-world.ts";
import { IDEAL, type LinkModel } from "../../sim/network/link.ts";

const STREAM = "live/x";
const DEAD: LinkModel = { ...IDEAL, loss: { kind: "iid", rate: 1 } };

function link(delayMs: number, loss: number): LinkModel {
  return { ...IDEAL, delayMs, jitterMs: 1, keepsOrder: true, loss: { kind: "iid", rate: loss } };
}

/** Edges a and b of different ISPs that cannot reach each other, and two that are with both of them. */
function relayed(): MeshWorld {
  const both = [{ lineId: "t" }, { lineId: "u" }];
  return new MeshWorld({
    seed: 3,
    edges: [
      { edgeId: "a", lines: [{ lineId: "t" }] },
      { edgeId: "b", lines: [{ lineId: "u" }] },
      { edgeId: "r", lines: both },
      { edgeId: "s", lines: both },
    ],
    link: (from, to) => {
      const isSame = from.slice(-1) === to.slice(-1);
      const isFar = [from, to].some((line) => line.startsWith("s/"));
      return isSame ? link(isFar ? 20 : 12, 0.01) : link(120, 0.06);
    },
  });
}

describe("a stream over a relay", () => {
  test("arrives within the limit where no direct path does, and whole", () => {
    const world = relayed();
    world.publish("a", STREAM);
    world.world.run(2500);
    world.want("b", STREAM, "a");
    world.world.run(15_000);
    const delays = world.delays("b", 5000, 14_000);
    const { born, here } = world.count("b", STREAM, 5000, 14_000);
    expect(here).toBe(born);
    expect(delays[Math.floor(delays.length / 2)]).toBeLessThan(45);
    expect(delays[Math.floor(delays.length * 0.99)]).toBeLessThanOrEqual(110);
    const relays = world.edge("r").command((edge, now) => edge.explainRoutes(now));
    expect(relays.map(({ stream, edgeId, isRelay }) => [stream, edgeId, isRelay])).toEqual([
      [STREAM, "b", true],
    ]);
  });

  test("survives the relay's death without a segment lost", () => {
    const world = relayed();
    world.publish("a", STREAM);
    world.world.run(2500);
    world.want("b", STREAM, "a");
    world.world.at(10_000, () => world.kill("r"));
    world.world.run(20_000);
    const { born, here } = world.count("b", STREAM, 5000, 19_000);
    expect(here).toBe(born);
    expect(world.delays("b", 9000, 12_000).at(-1)).toBeLessThanOrEqual(300);
    expect(world.edge("s").command((edge, now) => edge.explainRoutes(now))).toHaveLength(1);
  });

  test("is left by the sender when the relay says that it cannot pass on", () => {
    const world = relayed();
    world.publish("a", STREAM);
    world.world.run(2500);
    world.want("b", STREAM, "a");
    world.world.at(10_000, () => {
      for (const [from, to] of [
        ["r/u", "b/u"],
        ["r/t", "b/u"],
      ] as const) {
        world.setLink(from, to, DEAD);
        world.setLink(to, from, DEAD);
      }
    });
    world.world.run(20_000);
    const { born, here } = world.count("b", STREAM, 5000, 19_000);
    expect(here).toBe(born);
    expect(world.delays("b", 9000, 12_000).at(-1)).toBeLessThanOrEqual(300);
  });
});

describe("repairs", () => {
  function twoLines(): MeshWorld {
    const lines = [{ lineId: "t" }, { lineId: "u" }];
    return new MeshWorld({
      seed: 5,
      edges: ["a", "b"].map((edgeId) => ({ edgeId, lines })),
      link: (from, to) => {
        const isSame = from.slice(-1) === to.slice(-1);
        return isSame ? link(from.endsWith("t") ? 15 : 20, 0.02) : DEAD;
      },
    });
  }

  test("are about as many as losses, and few of them go twice", () => {
    const world = twoLines();
    world.publish("a", STREAM);
    world.world.run(1500);
    world.want("b", STREAM, "a");
    world.world.run(21_000);
    const [route] = world.edge("a").command((edge, now) => edge.explainRoutes(now));
    const { fragments = 0, repaired = 0, doubled = 0 } = route ?? {};
    expect(fragments).toBeGreaterThan(1500);
    expect(repaired / fragments).toBeGreaterThan(0.01);
    expect(repaired / fragments).toBeLessThan(0.06);
    expect(doubled).toBeLessThan(repaired);
  });

  test("go on over the other line when the first has died, which is used again after probation", () => {
    const world = twoLines();
    world.publish("a", STREAM);
    world.world.run(1500);
    world.want("b", STREAM, "a");
    world.world.at(8000, () => world.cut("a/t"));
    world.world.at(9000, () => world.mend("a/t"));
    world.world.run(15_000);
    const { born, here } = world.count("b", STREAM, 3000, 14_000);
    expect(here).toBe(born);
    expect(world.delays("b", 7000, 10_000).at(-1)).toBeLessThanOrEqual(200);
    const changes = world.events.flatMap(({ edgeId, atMs, event }) => {
      return edgeId === "a" && event.type === "link" && event.fromLineId === "t"
        ? [{ atMs, isUp: event.isUp, reason: event.reason }]
        : [];
    });
    const down = changes.find(({ atMs, isUp }) => atMs > 8000 && !isUp);
    expect(down?.atMs).toBeLessThan(8250);
    const back = changes.find(({ atMs, isUp }) => atMs > 8300 && isUp);
    expect(back?.atMs).toBeGreaterThan(9000 + 1900);
  });
});

test("a run that ends at its edge ends at the others, and the next one follows", () => {
  const world = new MeshWorld({
    seed: 7,
    edges: ["a", "b"].map((edgeId) => ({ edgeId, lines: [{ lineId: "t" }] })),
    link: () => link(15, 0.01),
  });
  const first = world.edge("a").command((edge, now) => edge.publishLocal(now, STREAM, "one"));
  if ("refused" in first) throw new Error(first.refused);
  world.world.run(1000);
  world.want("b", STREAM, "a");
  world.world.run(2000);
  world.edge("a").command((_edge, now) => first.end(now));
  world.world.run(3000);
  const second = world.edge("a").command((edge, now) => edge.publishLocal(now, STREAM, "two"));
  expect("refused" in second).toBe(false);
  world.world.run(5000);
  const runs = world.events.flatMap(({ edgeId, event }) => {
    return edgeId === "b" && (event.type === "streamStarted" || event.type === "streamEnded")
      ? [event.type]
      : [];
  });
  expect(runs).toEqual(["streamStarted", "streamEnded", "streamStarted"]);
});
