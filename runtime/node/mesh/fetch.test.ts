import { expect, test } from "bun:test";
import { type Ms, ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import type { Intake } from "../intake.ts";
import { Fetch, type FetchHost, rangesOf } from "./fetch.ts";

function setup() {
  const missing: string[] = [];
  const ended: Intake[] = [];
  const host: FetchHost = {
    linkTo: () => undefined,
    open: (_now, stream) => ({ stream }) as unknown as Intake,
    ended: (_now, intake) => ended.push(intake),
    missing: (stream, edgeId, reason) => missing.push(`${stream} ${edgeId}: ${reason}`),
    playoutMs: () => 800,
  };
  const fetch = new Fetch(host, "live/x", "a", ms(0));
  const run = (from: number, until: Ms): void => {
    for (let now = from; now <= until; now += 50) {
      if (fetch.nextTimeout() <= now) fetch.handleTimeout(ms(now));
    }
  };
  return { fetch, missing, ended, run };
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

test("a path of the edge it came from before ends without the run, one of the new edge's with it", () => {
  const { fetch, ended } = setup();
  const session = { sinks: new Map(), isOpen: true } as unknown as Session;
  const info = { name: "live/x", id: new Uint8Array(8), epoch: 1, first: 0, next: 0 };
  expect(fetch.bind(ms(0), session, { ...info, index: 1 })).toBe(true);
  fetch.switchTo(ms(100), "b");
  fetch.handleEnded(ms(110), session, 1, true);
  expect(ended).toEqual([]);
  expect(fetch.bind(ms(120), session, { ...info, index: 2 })).toBe(true);
  fetch.handleEnded(ms(200), session, 2, true);
  expect(ended.length).toBe(1);
});
