import { expect, test } from "bun:test";
import { type Ms, ms } from "../../base/time.ts";
import { Fetch, type FetchHost, rangesOf } from "./fetch.ts";

function setup() {
  const missing: string[] = [];
  const host: FetchHost = {
    linkTo: () => undefined,
    open: () => undefined,
    ended: () => {},
    missing: (stream, edgeId, reason) => missing.push(`${stream} ${edgeId}: ${reason}`),
    playoutMs: () => 800,
  };
  const fetch = new Fetch(host, "live/x", "a", ms(0));
  const run = (from: number, until: Ms): void => {
    for (let now = from; now <= until; now += 50) {
      if (fetch.nextTimeout() <= now) fetch.handleTimeout(ms(now));
    }
  };
  return { fetch, missing, run };
}

test("numbers that follow one another make one range, past the end of their range too", () => {
  expect(rangesOf([5, 6, 7, 9, 0xffff_ffff, 0])).toEqual([
    { first: 5, count: 3 },
    { first: 9, count: 1 },
    { first: 0xffff_ffff, count: 2 },
  ]);
});

test("a stream that does not come is said to be missing, once a second", () => {
  const { missing, run } = setup();
  run(0, ms(900));
  expect(missing).toEqual([]);
  run(950, ms(4000));
  expect(missing.length).toBeGreaterThanOrEqual(2);
  expect(missing.length).toBeLessThanOrEqual(4);
  expect(missing[0]).toBe("live/x a: no link to it is up");
});

test("what the other edge says of it is passed on, not more often than that", () => {
  const { fetch, missing } = setup();
  for (let now = 1000; now < 2000; now += 100) fetch.handleMissing(ms(now), "no such stream");
  expect(missing).toEqual(["live/x a: no such stream", "live/x a: no such stream"]);
});
