import { describe, expect, test } from "bun:test";
import {
  lineKey,
  pairKey,
  type RouteLine,
  type RouteLink,
  type RouteTable,
} from "./route-paths.ts";
import { P99_LIMIT_MS, type RouteWant, route } from "./router.ts";

type LinkSpec = readonly [from: string, to: string, rttMs: number, loss: number];

const DEAR = 10;

/** Links both ways between lines named "edge/line"; lines called "bgp" are dear. */
function table(specs: readonly LinkSpec[], more: Partial<RouteTable> = {}): RouteTable {
  const links = new Map<string, RouteLink[]>();
  const lines = new Map<string, RouteLine>();
  const edges = new Set<string>();
  for (const [a, b, rttMs, loss] of specs) {
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      const [from = "", fromLine = ""] = x.split("/");
      const [to = "", toLine = ""] = y.split("/");
      edges.add(from);
      const costWeight = fromLine === "bgp" ? DEAR : 1;
      const rate = { capacityKbps: 100_000, commitKbps: 0, usedKbps: 0 };
      lines.set(lineKey(from, fromLine), { costWeight, ...rate });
      const known = links.get(pairKey(from, to)) ?? [];
      const figures = { rttMs, jitterMs: 1, loss, usableKbps: 100_000, usedKbps: 0 };
      links.set(pairKey(from, to), [...known, { from, fromLine, to, toLine, ...figures }]);
    }
  }
  return { links, lines, relays: [...edges], costMin: 1, ...more };
}

const WANT: RouteWant = { from: "a", to: "b", kbps: 800, paths: 0 };

function ids(paths: readonly { id: string }[]): string[] {
  return paths.map(({ id }) => id);
}

describe("the first path", () => {
  test("is the cheap one while it is within the limit, though a dear one is quicker", () => {
    const set = route(
      table([
        ["a/t", "b/t", 50, 0.01],
        ["a/bgp", "b/bgp", 20, 0],
      ]),
      WANT,
    );
    expect(ids(set.active)).toEqual(["t>b/t"]);
    expect(ids(set.spare)).toEqual(["bgp>b/bgp"]);
  });

  test("is the dear one when no cheap one is within the limit", () => {
    const set = route(
      table([
        ["a/t", "b/t", 190, 0.05],
        ["a/bgp", "b/bgp", 40, 0],
      ]),
      WANT,
    );
    expect(ids(set.active)).toEqual(["bgp>b/bgp"]);
  });

  test("goes over a relay when that is cheaper than the dear line and in time", () => {
    const far: LinkSpec = ["a/t", "b/u", 260, 0.08];
    const both: LinkSpec[] = [
      ["a/t", "r/t", 30, 0.01],
      ["r/u", "b/u", 30, 0.01],
    ];
    const set = route(table([far, ...both, ["a/bgp", "b/bgp", 40, 0]]), WANT);
    expect(ids(set.active)).toEqual(["t>r/t u>b/u"]);
    expect(set.active[0]?.cost).toBe(4);
    expect(set.active[0]?.delayMs).toBe(31);
  });

  test("is never relayed for a relay, nor when one direct path is asked for", () => {
    const specs: LinkSpec[] = [
      ["a/t", "b/u", 260, 0.08],
      ["a/t", "r/t", 30, 0.01],
      ["r/u", "b/u", 30, 0.01],
    ];
    for (const want of [
      { ...WANT, paths: 1 as const },
      { ...WANT, isDirectOnly: true },
    ]) {
      const set = route(table(specs), want);
      expect(ids([...set.active, ...set.spare])).toEqual(["t>b/u"]);
    }
  });

  test("is the quickest when all are over the limit", () => {
    const set = route(
      table([
        ["a/t", "b/t", 400, 0.02],
        ["a/bgp", "b/bgp", 300, 0.02],
      ]),
      WANT,
    );
    expect(ids(set.active)).toEqual(["bgp>b/bgp"]);
    expect(set.why).toContain(`over ${P99_LIMIT_MS} ms`);
  });

  test("of the same cost is the less loaded", () => {
    const even = table([
      ["a/t", "b/t", 30, 0],
      ["a/u", "b/u", 40, 0],
    ]);
    const full = { costWeight: 1, capacityKbps: 10_000, commitKbps: 0, usedKbps: 6_000 };
    const lines = new Map([...even.lines, ["a/t", full] as const]);
    expect(ids(route(even, WANT).active)).toEqual(["t>b/t"]);
    expect(ids(route({ ...even, lines }, WANT).active)).toEqual(["u>b/u"]);
  });

  test("costs less while its line is within what is paid for anyhow", () => {
    const even = table([
      ["a/t", "b/t", 30, 0],
      ["a/u", "b/u", 40, 0],
    ]);
    const paid = { costWeight: 1, capacityKbps: 100_000, commitKbps: 5_000, usedKbps: 1_000 };
    const lines = new Map([...even.lines, ["a/u", paid] as const]);
    expect(ids(route({ ...even, lines }, WANT).active)).toEqual(["u>b/u"]);
  });

  test("does not exist when nothing is up, and is a barred one only when there is no other", () => {
    expect(route(table([]), WANT).active).toEqual([]);
    const barred = new Set(["t>b/t"]);
    const one = table([["a/t", "b/t", 30, 0]]);
    expect(ids(route(one, { ...WANT, barred }).active)).toEqual(["t>b/t"]);
    const two = table([
      ["a/t", "b/t", 30, 0],
      ["a/u", "b/u", 200, 0],
    ]);
    expect(ids(route(two, { ...WANT, barred }).active)).toEqual(["u>b/u"]);
  });
});

describe("a set once chosen", () => {
  const before = route(
    table([
      ["a/t", "b/t", 40, 0],
      ["a/u", "b/u", 44, 0],
    ]),
    WANT,
  );

  test("stays while another is only a little better", () => {
    const now = table([
      ["a/t", "b/t", 60, 0],
      ["a/u", "b/u", 40, 0],
    ]);
    expect(ids(route(now, WANT).active)).toEqual(["u>b/u"]);
    const set = route(now, WANT, before);
    expect(ids(set.active)).toEqual(["t>b/t"]);
    expect(set.why).toContain("kept");
  });

  test("is left when it gets too slow or is gone, and says so", () => {
    const slow = route(
      table([
        ["a/t", "b/t", 260, 0],
        ["a/u", "b/u", 44, 0],
      ]),
      WANT,
      before,
    );
    expect(ids(slow.active)).toEqual(["u>b/u"]);
    expect(slow.why).toContain("the one before takes");
    const gone = route(table([["a/u", "b/u", 44, 0]]), WANT, before);
    expect(ids(gone.active)).toEqual(["u>b/u"]);
    expect(gone.why).toContain("gone");
  });

  test("is left for what costs clearly less", () => {
    const dear = route(table([["a/bgp", "b/bgp", 20, 0]]), WANT);
    const set = route(
      table([
        ["a/bgp", "b/bgp", 20, 0],
        ["a/t", "b/t", 40, 0],
      ]),
      WANT,
      dear,
    );
    expect(ids(set.active)).toEqual(["t>b/t"]);
  });
});

test("several paths carry what one has not the room for", () => {
  const tight = table([
    ["a/t", "b/t", 30, 0],
    ["a/u", "b/u", 40, 0],
    ["a/bgp", "b/bgp", 20, 0],
  ]);
  const links = new Map(
    [...tight.links].map(([key, list]) => {
      return [
        key,
        list.map((link) => ({ ...link, usableKbps: link.fromLine === "bgp" ? 9e4 : 600 })),
      ];
    }),
  );
  const set = route({ ...tight, links }, WANT);
  expect(ids(set.active)).toEqual(["bgp>b/bgp"]);
  const cheapOnly = new Map(
    [...links].map(([key, list]) => {
      return [key, list.filter(({ fromLine }) => fromLine !== "bgp")];
    }),
  );
  expect(ids(route({ ...tight, links: cheapOnly }, WANT).active)).toEqual(["t>b/t", "u>b/u"]);
});

test("a path on probation is taken only when there is no other", () => {
  const one = table([
    ["a/t", "b/t", 30, 0],
    ["a/bgp", "b/bgp", 60, 0],
  ]);
  const links = new Map(
    [...one.links].map(([key, list]) => {
      return [key, list.map((link) => ({ ...link, isOnProbation: link.fromLine === "t" }))];
    }),
  );
  expect(ids(route({ ...one, links }, WANT).active)).toEqual(["bgp>b/bgp"]);
  const alone = new Map([...links].map(([key, list]) => [key, list.slice(0, 1)]));
  expect(ids(route({ ...one, links: alone }, WANT).active)).toEqual(["t>b/t"]);
});

test("explains each path with its figures and a reason", () => {
  const specs: LinkSpec[] = [
    ["a/t", "b/t", 50, 0.01],
    ["a/bgp", "b/bgp", 20, 0],
  ];
  const lines = route(table(specs), WANT).explain();
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(
    /^takes t>b\/t: delay 25 ms, p99 \d+ ms, loss 1 %, cost 2, load 1 %; the cheapest/,
  );
  expect(lines[1]).toMatch(/^spare bgp>b\/bgp: .* cost 20, .*repairs/);
});
