import { expect, test } from "bun:test";
import { type Feed, layOutFeeds } from "./feeds.ts";

function feed(role: Feed["role"], subStreams: number, port = 4000): Feed {
  return { role, address: `192.0.2.1:${port}`, subStreams, rttMs: 12.34 };
}

test("the edge and parents feed us, we feed children, the thicker the more", () => {
  const feeds = [feed("edge", 4), feed("parent", 12), feed("child", 16), feed("neighbour", 0)];
  const { sources, children, neighbours } = layOutFeeds(feeds, 16);
  expect(sources.map(({ label }) => label)).toEqual([
    "edge · 4/16 · 12.3 ms",
    "192.0.2.1:4000 · 12/16 · 12.3 ms",
  ]);
  expect((sources[1]?.thickness ?? 0) / (sources[0]?.thickness ?? 1)).toBeCloseTo(3);
  expect(children).toHaveLength(1);
  expect(neighbours).toBe(1);
});

test("a super node's many children are counted beyond the eighth, and all fit in", () => {
  const feeds = Array.from({ length: 40 }, (_, i) => feed("child", 1, 4000 + i));
  const { children, height } = layOutFeeds(feeds, 16);
  expect(children).toHaveLength(8);
  expect(children[7]).toMatchObject({ role: "more", label: "33 more" });
  for (const { y } of children) expect(y).toBeWithin(0, height);
});
