import { beforeEach, describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import { createSwarmParams } from "../swarm-params.ts";
import { Compensation, Judgement } from "./compensation.ts";

const PARAMS = createSwarmParams({
  compensatePerPeer: 10,
  compensateShare: 0.01,
  censusPeers: 3,
  censusShare: 0.5,
  censusWindowMs: 300,
});
const NOW = ms(1000);

/** All that the compensation looks at of a session. */
function session(heardAt = NOW): Session {
  return { lastReceivedAt: heardAt, srttMs: () => 40 } as unknown as Session;
}

describe("compensation", () => {
  let feeders: Map<Session, Session>;
  let pushed: [Session, number][];
  let compensation: Compensation;

  beforeEach(() => {
    feeders = new Map();
    pushed = [];
    compensation = new Compensation(PARAMS, new Prng(7), {
      feederOf: (child) => feeders.get(child),
      pushAgain: (_now, feeder, number) => pushed.push([feeder, number]),
    });
  });

  /** A second of ticks among 100 viewers at 100 fragments/s: 100 fragments/s for all. */
  function tick(now = NOW, ceiling?: number): void {
    compensation.tick(now, 1000, 100, 100, ceiling);
  }

  function ask(asker: Session, first: number, count: number, now = NOW): number {
    let served = 0;
    for (let number = first; number < first + count; number++) {
      if (compensation.judge(now, asker, number) === Judgement.serve) served++;
    }
    return served;
  }

  test("gives one peer its bucket, and more with time", () => {
    tick();
    const greedy = session();
    expect(ask(greedy, 0, 50)).toBe(10);
    expect(ask(greedy, 100, 50, ms(NOW + 500))).toBe(5);
    expect(ask(session(), 200, 5)).toBe(5);
  });

  test("gives all peers together what the edge's bucket holds", () => {
    tick();
    let served = 0;
    for (let i = 0; i < 40; i++) served += ask(session(), i * 100, 10);
    expect(served).toBe(100);
    expect(compensation.refused).toBe(300);
  });

  test("saves up three seconds and no more", () => {
    for (let i = 0; i < 10; i++) tick();
    let served = 0;
    for (let i = 0; i < 60; i++) served += ask(session(), i * 100, 10);
    expect(served).toBe(300);
  });

  test("stays below the ceiling", () => {
    tick(NOW, 20);
    expect(compensation.rate).toBe(20);
    expect(ask(session(), 0, 10) + ask(session(), 50, 10) + ask(session(), 100, 10)).toBe(20);
  });

  test("names a longer wait with each refusal, until something is served again", () => {
    tick();
    const asker = session();
    ask(asker, 0, 10);
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      ask(asker, 100 + i, 1);
      waits.push(compensation.takeRetryMs(asker));
    }
    for (const [i, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(50 * 2 ** i);
      expect(wait).toBeLessThanOrEqual(150 * 2 ** i);
    }
    expect(ask(asker, 200, 1, ms(NOW + 1000))).toBe(1);
    ask(asker, 300, 9, ms(NOW + 1000));
    ask(asker, 400, 1, ms(NOW + 1000));
    expect(compensation.takeRetryMs(asker)).toBeLessThanOrEqual(150);
  });

  test("pushes again what many miss, once to each super node above them", () => {
    tick();
    const [one, two] = [session(), session()];
    const askers = Array.from({ length: 8 }, (_, i) => {
      const asker = session();
      feeders.set(asker, i % 2 === 0 ? one : two);
      return asker;
    });
    const judged = askers.map((asker) => compensation.judge(NOW, asker, 5));
    expect(judged.slice(0, 3)).toEqual([Judgement.serve, Judgement.serve, Judgement.serve]);
    expect(judged[3]).toBe(Judgement.wait);
    expect(pushed).toEqual([
      [one, 5],
      [two, 5],
    ]);
    expect(compensation.pushedAgain).toBe(2);
  });

  test("a push that did not help is made good one by one", () => {
    tick();
    const feeder = session();
    const askers = Array.from({ length: 5 }, () => session());
    for (const asker of askers) feeders.set(asker, feeder);
    for (const asker of askers) compensation.judge(NOW, asker, 5);
    expect(pushed.length).toBe(1);
    const again = compensation.judge(ms(NOW + 150), askers[4] as Session, 5);
    expect(again).toBe(Judgement.serve);
  });

  test("answers those whom a dead super node or the edge itself feeds", () => {
    tick();
    const dead = session(ms(NOW - 1000));
    const askers = Array.from({ length: 6 }, () => session());
    feeders.set(askers[5] as Session, dead);
    const judged = askers.map((asker) => compensation.judge(NOW, asker, 5));
    expect(judged).toEqual(new Array(6).fill(Judgement.serve));
  });

  test("forgets who missed what after the window", () => {
    tick();
    const feeder = session();
    for (let i = 0; i < 8; i++) {
      const asker = session();
      feeders.set(asker, feeder);
      compensation.judge(ms(NOW + i * 200), asker, 5);
    }
    expect(pushed).toEqual([]);
  });
});
