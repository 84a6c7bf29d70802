import { describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { HOT_PATHS, testHotPath } from "../../wasm/testing.ts";
import { FrameKind } from "../../wire/frame.ts";
import {
  delays,
  type Passage,
  type PlayScenario,
  PlayWorld,
  repairedChannel,
  steady,
} from "../testing/play-world.ts";

describe.each(HOT_PATHS)("play buffer in bad weather, on %s", (kind) => {
  function play(scenario: PlayScenario): PlayWorld {
    return new PlayWorld(testHotPath(kind, 8), scenario).run();
  }

  test("an outage of 2 s: it stands, then goes on at live − target with everything the decoder needs", () => {
    const channel = ({ at }: Passage): number =>
      at >= 5000 && at < 7000 ? 7060 - at + at / 1000 : 40;
    const world = play({ seconds: 30, channel });
    expect(world.buffer.framesDamaged).toBe(0);
    const order = world.shown.map((one) => one.sequence);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(world.shown.filter((one) => one.frame.kind > FrameKind.metadata).length).toBe(
      world.sent.filter((one) => one.capturedAt < 30_000 - world.buffer.targetMs).length,
    );
    /* what was captured in the first 1,260 ms of the outage is late: 72 frames a second */
    expect(Math.abs(world.buffer.framesSkipped - 1.26 * 72)).toBeLessThan(15);
    expect(Math.abs(world.stalledMs - 1160)).toBeLessThan(80);
    expect(world.buffer.targetMs).toBeLessThan(810);
    expect(delays(world, 7200)[1]).toBeLessThan(830);
  });

  test("an outage in which all is lost: it skips to live − target and never falls behind", () => {
    const channel = ({ at }: Passage): number | undefined =>
      at >= 5000 && at < 7000 ? undefined : 40;
    const world = play({ seconds: 20, channel });
    expect(Math.abs(world.buffer.framesSkipped - 2 * 72)).toBeLessThan(15);
    expect(delays(world)[1]).toBeLessThan(830);
    expect(Math.abs(world.stalledMs - 1900)).toBeLessThan(80);
    const damaged = world.shown.filter((one) => one.damaged);
    expect(damaged.every((one) => one.at < 9000)).toBe(true);
  });

  test("a path that becomes a second slower: the play point follows within a few seconds", () => {
    const channel = ({ at }: Passage): number => (at < 5000 ? 40 : 1240);
    const world = play({ seconds: 30, channel });
    const late = world.shown.filter((one) => one.decodeOnly && one.at > 8600);
    expect(late.length).toBe(0);
    expect(world.buffer.framesPlayed).toBeGreaterThan(25 * 70);
  });

  test("even a path slower than the longest delay is played", () => {
    const world = play({ seconds: 20, channel: repairedChannel(2500, 30, 0) });
    expect(world.inTime.filter((one) => one.at > 8000).length).toBeGreaterThan(11.5 * 70);
  });

  test("wrong capture times shift nothing by much", () => {
    for (const errorMs of [-3000, 3000]) {
      const clockErrorMs = (now: number): number => (now < 8000 ? 0 : errorMs);
      const world = play({ seconds: 30, channel: repairedChannel(30, 30, 0.01), clockErrorMs });
      const skipped = world.buffer.framesSkipped;
      expect(skipped / world.sent.length).toBeLessThan(0.002);
      expect(delays(world)[1]).toBeLessThan(900);
      expect(world.stalledMs).toBeLessThan(100);
    }
  });

  test("without a capture clock it goes by arrivals", () => {
    const world = play({ seconds: 10, channel: steady, hasClock: false, options: { minMs: 800 } });
    expect(delays(world)).toEqual([839, 840]);
    expect(world.buffer.framesPlayed).toBeGreaterThan(8 * 70);
  });

  test.each([
    ["forwards", 50_000],
    ["backwards", -50_000],
    ["back to nothing", -Number.POSITIVE_INFINITY],
  ])("timestamps that jump %s play on without a gap", (_name, jump) => {
    const base = 100_000;
    const dts = (at: number): number =>
      at < 5000 ? base + at : jump === -Number.POSITIVE_INFINITY ? at - 5000 : base + at + jump;
    const world = play({
      seconds: 15,
      channel: repairedChannel(30, 60, 0.02),
      dts,
      options: { minMs: 700 },
    });
    expect(world.buffer.framesSkipped).toBe(0);
    expect(world.buffer.framesDamaged).toBe(0);
    expect(world.stalledMs).toBe(0);
    expect(delays(world)[0]).toBeGreaterThan(680);
    expect(delays(world)[1]).toBeLessThan(820);
  });

  test("timestamps wrap at 32 bits unnoticed", () => {
    const dts = (at: number): number => 0x1_0000_0000 - 5000 + at;
    const world = play({ seconds: 15, channel: steady, dts, options: { minMs: 800 } });
    expect(world.buffer.framesSkipped).toBe(0);
    expect(delays(world)).toEqual([799, 800]);
  });

  test("an encoder that hands frames over unevenly is played evenly", () => {
    const capture = (mediaMs: number): number => Math.ceil((mediaMs + 1) / 120) * 120;
    const world = play({ seconds: 20, channel: steady, capture, options: { minMs: 800 } });
    expect(world.buffer.framesSkipped).toBe(0);
    const pictures = world.inTime.filter(
      (one) => one.frame.kind !== FrameKind.audio && one.at > 3000,
    );
    const steps = pictures.slice(1).map(({ at }, i) => at - (pictures[i]?.at as number));
    expect(Math.max(...steps) - Math.min(...steps)).toBeLessThan(4);
  });

  test("an encoder that stands still for 3 s and goes on where it was is followed", () => {
    const capture = (mediaMs: number): number => (mediaMs < 5000 ? mediaMs : mediaMs + 3000);
    const world = play({ seconds: 20, channel: steady, capture });
    const late = world.shown.filter((one) => one.decodeOnly && one.at > 10_000);
    expect(late.length).toBe(0);
    expect(delays(world, 10_000)[1]).toBeLessThan(1000);
  });

  test("sound alone and picture alone are played", () => {
    for (const scenario of [{ video: false }, { audio: false }]) {
      const world = play({
        ...scenario,
        seconds: 10,
        channel: repairedChannel(20, 30, 0.05),
        joinMs: 2500,
      });
      expect(world.buffer.framesSkipped).toBe(0);
      expect(world.buffer.framesPlayed).toBeGreaterThan(scenario.video === false ? 7 * 46 : 7 * 24);
    }
  });

  test("whatever the channel does: in order, every frame accounted for, and no driver spins", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new Prng(seed);
      const repaired = repairedChannel(
        random.next() * 150,
        random.next() ** 2 * 400,
        random.next() * 0.3,
      );
      const lost = random.next() < 0.5 ? 0 : random.next() * 0.05;
      const silentFrom = 3000 + random.next() * 4000;
      const silentTo = random.next() < 0.5 ? silentFrom + random.next() * 3000 : 0;
      const world = play({
        seed,
        seconds: 10,
        joinMs: random.next() * 3000,
        groupFrames: 10 + random.below(90),
        disposable: random.next() < 0.5,
        options: { strict: random.next() < 0.3 },
        hasClock: random.next() < 0.9,
        channel: (passage) => {
          if (passage.random.next() < lost) return undefined;
          const isSilent = passage.at >= silentFrom && passage.at < silentTo;
          return repaired(passage) + (isSilent ? silentTo - passage.at : 0);
        },
      });
      const { buffer, shown, sent } = world;
      const order = shown.map((one) => one.sequence);
      expect(order.every((one, i) => i === 0 || one > (order[i - 1] as number))).toBe(true);
      expect(world.inTime.length).toBe(buffer.framesPlayed);
      const from = shown.find((one) => !one.decodeOnly)?.capturedAt ?? Number.POSITIVE_INFINITY;
      const to = shown.at(-1)?.capturedAt ?? 0;
      const due = sent.filter((one) => one.capturedAt > from && one.capturedAt < to).length;
      expect(buffer.framesPlayed + buffer.framesSkipped).toBeGreaterThanOrEqual(due - 1);
    }
  });
});
