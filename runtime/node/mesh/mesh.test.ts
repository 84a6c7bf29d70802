import { describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { MeshWorld, type MeshWorldOptions } from "../../sim/mesh/mesh-world.ts";
import { IDEAL, type LinkModel } from "../../sim/network/link.ts";
import { PacketType } from "../../wire/packet.ts";

const STREAM = "live/x";

function link(delayMs: number, loss: number): LinkModel {
  return {
    ...IDEAL,
    delayMs,
    jitterMs: 2,
    keepsOrder: true,
    loss: { kind: "iid", rate: loss },
  };
}

function twoEdges(options: Partial<MeshWorldOptions> = {}): MeshWorld {
  const lines = [{ lineId: "t" }];
  return new MeshWorld({
    seed: 1,
    edges: ["a", "b"].map((edgeId) => ({ edgeId, lines })),
    link: () => link(20, 0.02),
    ...options,
  });
}

/** Three edges with two cheap lines of different ISPs and a dear one that is near to all. */
function threeEdges(paths: 0 | 1 = 0): MeshWorld {
  const lines = [{ lineId: "t" }, { lineId: "u" }, { lineId: "bgp", costWeight: 10 }];
  return new MeshWorld({
    seed: 2,
    paths,
    edges: ["a", "b", "r"].map((edgeId) => ({ edgeId, lines })),
    link: (from, to) => {
      const [mine, theirs] = [from.split("/")[1], to.split("/")[1]];
      if (mine === "bgp" || theirs === "bgp") return link(12, 0.002);
      return mine === theirs ? link(mine === "t" ? 17 : 25, 0.02) : link(30, 0.03);
    },
  });
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}

describe("two edges and a line", () => {
  test("a stream wanted elsewhere arrives there whole, 99 frames of 100 within 100 ms", () => {
    const world = twoEdges();
    world.publish("a", STREAM);
    world.world.run(1500);
    world.want("b", STREAM, "a");
    world.world.run(20_000);
    const delays = world.delays("b", 3000, 19_000);
    const { born, here } = world.count("b", STREAM, 3000, 19_000);
    expect(born).toBeGreaterThan(900);
    expect(here).toBe(born);
    expect(percentile(delays, 0.5)).toBeLessThan(30);
    expect(percentile(delays, 0.99)).toBeLessThanOrEqual(100);
  });

  test("an edge with another secret gets no session, and is told why", () => {
    const lines = [{ lineId: "t" }];
    for (const odd of ["a", "b"]) {
      const world = twoEdges({
        edges: ["a", "b"].map((edgeId) => {
          const secret = edgeId === odd ? { secret: "not the cluster's secret" } : {};
          return { edgeId, lines, ...secret };
        }),
      });
      world.publish("a", STREAM);
      world.want("b", STREAM, "a");
      world.world.run(4000);
      const links = world.events.filter(({ event }) => event.type === "link");
      expect(links.some(({ event }) => event.type === "link" && event.isUp)).toBe(false);
      expect(world.events.some(({ event }) => event.type === "refused")).toBe(true);
      expect(world.count("b", STREAM, 0, 4000).here).toBe(0);
    }
  });
});

test("garbage, and packets with made-up connection ids, move nothing", () => {
  const world = twoEdges();
  const random = new Prng(9);
  world.publish("a", STREAM);
  world.world.run(1500);
  world.want("b", STREAM, "a");
  const types = Object.values(PacketType);
  const { host } = world.edge("b");
  const from = world.edge("a").host.address;
  const throwIn = (): void => {
    for (let i = 0; i < 50; i++) {
      const data = new Uint8Array(1 + random.below(300));
      random.fill(data);
      data[0] = types[random.below(types.length)] as number;
      world.world.network.inject(world.world.nowMs, from, host, data);
    }
    if (world.world.nowMs < 5000) world.world.at(world.world.nowMs + 20, throwIn);
  };
  world.world.at(2000, throwIn);
  world.world.run(8000);
  const { born, here } = world.count("b", STREAM, 3000, 7000);
  expect(here).toBe(born);
  const downs = world.events.filter(({ event }) => event.type === "link" && !event.isUp);
  expect(downs).toEqual([]);
  const { datagramsRefused } = world.edge("b").command((edge, now) => edge.stats(now));
  expect(datagramsRefused).toBeGreaterThan(5000);
});

describe("three edges with three lines", () => {
  test("the death of a line costs no segment, and at most 300 ms", () => {
    const world = threeEdges();
    world.publish("a", STREAM);
    world.world.run(1500);
    for (const edge of ["b", "r"]) world.want(edge, STREAM, "a");
    world.world.at(10_000, () => world.cut("a/t"));
    world.world.at(13_000, () => world.mend("a/t"));
    world.world.at(18_000, () => world.cut("a/u"));
    world.world.run(22_000);
    for (const edge of ["b", "r"]) {
      const { born, here } = world.count(edge, STREAM, 3000, 21_000);
      expect(here).toBe(born);
      for (const cut of [10_000, 18_000]) {
        const around = world.delays(edge, cut - 1000, cut + 2000);
        expect(around.at(-1)).toBeLessThanOrEqual(300);
      }
      expect(percentile(world.delays(edge, 3000, 21_000), 0.99)).toBeLessThanOrEqual(120);
    }
  });
});
