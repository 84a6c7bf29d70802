import { describe, expect, test } from "bun:test";
import { createStreamWorld } from "../../sim/stream-world.ts";
import type { peerStats } from "./peer-stats.ts";

describe("a viewer's figures", () => {
  test("agree with what it played", () => {
    const stream = createStreamWorld({ seed: 1, link: "lan", viewers: 1 });
    stream.world.run(1000);
    stream.publish();
    stream.world.run(9000);
    const [peer] = stream.peers;
    if (peer === undefined) throw new Error("no viewer");
    const stats: ReturnType<typeof peerStats> = peer.command((one, now) => one.stats(now));
    const { played, skipped } = stream.log(peer);
    expect(stats.state).toBe("playing");
    expect(stats.framesPlayed).toBeWithin(
      played.length - 5,
      played.length + 1,
    ); /* configurations apart */
    expect(stats.framesSkipped).toBe(skipped);
    expect(stats.framesDamaged).toBe(0);
    expect(stats.delayMs).toBeWithin(300, 1500);
    expect(stats.delayUncertaintyMs).toBeLessThan(20);
    expect(stats.lossRate).toBe(0);
    const { push, pull, compensation } = stats.phaseShare;
    expect(push + pull + compensation).toBeCloseTo(1, 6);
    expect(push).toBeGreaterThan(0.99);
    expect(stats.edge?.rttMs).toBeLessThan(10);
    peer.command((one, now) => one.close(now));
    expect(peer.command((one, now) => one.stats(now)).state).toBe("ended");
  });

  test("before anything has come are those of somebody who waits", () => {
    const stream = createStreamWorld({ seed: 1, link: "lan", viewers: 1 });
    const [peer] = stream.peers;
    if (peer === undefined) throw new Error("no viewer");
    const stats = peer.command((one, now) => one.stats(now));
    expect(stats).toMatchObject({ state: "connecting", framesPlayed: 0, edge: null, lossRate: 0 });
    stream.world.run(1000);
    expect(peer.command((one, now) => one.stats(now)).state).toBe("waiting");
  });
});
