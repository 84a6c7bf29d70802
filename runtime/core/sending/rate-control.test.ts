import { describe, expect, test } from "bun:test";
import { createTwinHotPath } from "../hot-path/hot-path-twin.ts";
import type { LinkOptions } from "../testing/bottleneck.ts";
import {
  lossScenario,
  overloadScenario,
  type PairFigures,
  type PairScenario,
  runPair,
} from "../testing/policy-scenarios.ts";
import type { VideoOptions } from "../testing/policy-video.ts";
import { TcpFlow } from "../testing/tcp-flow.ts";

function run(scenario: PairScenario): PairFigures {
  return runPair(createTwinHotPath(), scenario);
}

function over(seconds: number, video: Partial<VideoOptions>, forward: Partial<LinkOptions> = {}) {
  const scenario = overloadScenario(1, seconds, video);
  return { ...scenario, forward: { ...scenario.forward, ...forward } };
}

describe("loss (RTT 100 ms, 2 Mbit/s, deadline 300 ms, both ways)", () => {
  for (const [loss, late, points] of [
    [0, 0, 0],
    [0.05, 0.001, 0.02],
    [0.1, 0.004, 0.03],
    [0.2, 0.025, 0.1],
  ] as const) {
    test(`at ${loss * 100} % few frames are late and little is sent twice`, () => {
      const figures = run(lossScenario(1, 120, loss, 300));
      expect(figures.late).toBeLessThanOrEqual(late);
      expect(figures.overhead - loss / (1 - loss)).toBeLessThanOrEqual(points);
      expect(figures.rateBps).toBe(0);
    });
  }

  test("in bursts all frames come at 600 ms", () => {
    const figures = run(over(60, {}, { rateBps: 1e9, burst: { bad: 0.01, good: 0.3 } }));
    expect(figures.playable).toBe(1);
  });
});

describe("overload (2 Mbit/s into 1.6, 40 KB queue, RTT 100 ms, deadline 600 ms)", () => {
  const kinds: Record<string, Partial<VideoOptions>> = {
    plain: {},
    "with large key frames": { keyFactor: 5 },
    "with audio": { audio: true, bitsPerSecond: 1.925e6 },
    "with B-frames": { disposable: 2 },
    "with small B-frames and large key frames": {
      disposable: 2,
      disposableFactor: 0.5,
      keyFactor: 5,
    },
    "in groups of one second": { groupFrames: 30 },
  };
  for (const [name, video] of Object.entries(kinds)) {
    test(`plays 70 % of frames, ${name}`, () => {
      const figures = run(over(60, video));
      expect(figures.playable).toBeGreaterThanOrEqual(0.7);
      expect(figures.audioLate).toBe(0);
      expect(figures.queueMsMean).toBeLessThan(40);
    });
  }

  test("finds the rate within two seconds", () => {
    const rates: number[] = [];
    const watch: PairScenario["watch"] = (now, pair) => {
      if (now >= 2000 && now <= 2500) rates.push(pair.queue.rateBps);
    };
    run({ ...over(3, {}), watch });
    for (const rate of rates) {
      expect(rate).toBeGreaterThan(1.35e6);
      expect(rate).toBeLessThan(1.8e6);
    }
  });
});

describe("changes and neighbours", () => {
  test("follows the link from 4 to 1 and back to 4 Mbit/s", () => {
    const rates = new Map<number, number>();
    const scenario = over(
      27,
      { bitsPerSecond: 3.5e6, deadlineMs: 1000 },
      { rateBps: 4e6, queueBytes: 75_000 },
    );
    run({
      ...scenario,
      prepare: (clock, forward) => {
        clock.at(8000, () => Object.assign(forward.options, { rateBps: 1e6, queueBytes: 19_000 }));
        clock.at(16_000, () =>
          Object.assign(forward.options, { rateBps: 4e6, queueBytes: 75_000 }),
        );
      },
      watch: (now, pair) => {
        if (now % 1000 === 0) rates.set(now / 1000, pair.queue.rateBps);
      },
    });
    expect(rates.get(7)).toBe(0);
    expect(rates.get(15)).toBeLessThan(1.1e6);
    expect(rates.get(15)).toBeGreaterThan(0.8e6);
    expect(rates.get(22)).toBeGreaterThan(3e6);
  });

  for (const [rateBps, queueBytes, bitsPerSecond] of [
    [4e6, 75_000, 2e6],
    [3e6, 40_000, 4e6],
    [10e6, 125_000, 4e6],
  ] as const) {
    test(`leaves TCP 40 % of ${rateBps / 1e6} Mbit/s and keeps a part`, () => {
      let tcp: TcpFlow | undefined;
      let before = 0;
      let delivered = 0;
      let ours = 0;
      const scenario = over(60, { bitsPerSecond, deadlineMs: 1000 }, { rateBps, queueBytes });
      run({
        ...scenario,
        prepare: (clock, forward, back) => {
          tcp = new TcpFlow(clock, forward, back);
          clock.at(5000, () => tcp?.start());
        },
        watch: (now, pair) => {
          if (now === 20_000) {
            before = tcp?.bytesDelivered ?? 0;
            ours = pair.bytesSent;
          }
          if (now === 60_000) {
            delivered = (tcp?.bytesDelivered ?? 0) - before;
            ours = pair.bytesSent - ours;
            tcp?.stop();
          }
        },
      });
      expect(delivered).toBeGreaterThan(0.4 * (rateBps / 8) * 40);
      expect(ours).toBeGreaterThan(0.05 * (rateBps / 8) * 40);
    });
  }

  test("is not limited by jitter, nor by bursts that the link can take", () => {
    const jitter = run(over(60, {}, { rateBps: 1e9, jitterMs: 30, loss: 0.01 }));
    expect(jitter.rateBps).toBe(0);
    expect(jitter.playable).toBe(1);
    const bursts = run(
      over(60, { keyFactor: 10 }, { delayMs: 20, rateBps: 10e6, queueBytes: 60_000 }),
    );
    expect(bursts.rateBps).toBe(0);
    expect(bursts.dropped).toBe(0);
    const fast = run(
      over(20, { bitsPerSecond: 30e6 }, { delayMs: 20, rateBps: 100e6, queueBytes: 500_000 }),
    );
    expect(fast.playable).toBe(1);
  });

  test("never raises its rate while the application asks for less", () => {
    let highest = 0;
    const watch: PairScenario["watch"] = (now, pair) => {
      if (now > 12_000) highest = Math.max(highest, pair.queue.rateBps);
    };
    const scenario = over(40, { bitsPerSecond: 1.8e6 });
    run({
      ...scenario,
      watch,
      prepare: (clock, forward) => {
        clock.at(8000, () => Object.assign(forward.options, { rateBps: 50e6, queueBytes: 1e6 }));
      },
    });
    expect(highest).toBeLessThan(2 * 1.8e6);
  });

  test("gives the same figures for the same seed", () => {
    expect(run(lossScenario(7, 20, 0.1, 300))).toEqual(run(lossScenario(7, 20, 0.1, 300)));
    expect(run(lossScenario(7, 20, 0.1, 300))).not.toEqual(run(lossScenario(8, 20, 0.1, 300)));
  });
});
