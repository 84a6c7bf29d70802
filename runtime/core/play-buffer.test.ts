import { describe, expect, test } from "bun:test";
import { Prng } from "../base/prng.ts";
import { ms, NEVER } from "../base/time.ts";
import { HOT_PATHS, testHotPath } from "../wasm/testing.ts";
import { FrameKind } from "../wire/frame.ts";
import {
  type Passage,
  type PlayScenario,
  PlayWorld,
  repairedChannel,
} from "./testing/play-world.ts";

const steady = (): number => 40;

/** Least and greatest capture → play-out of frames shown in time from `from` on, ms. */
function delays(world: PlayWorld, from = 0): [least: number, greatest: number] {
  const all = world.inTime.filter((one) => one.at >= from).map((one) => one.delayMs);
  return [Math.round(Math.min(...all)), Math.round(Math.max(...all))];
}

describe.each(HOT_PATHS)("play buffer on %s", (kind) => {
  function play(scenario: PlayScenario): PlayWorld {
    return new PlayWorld(testHotPath(kind, 16), scenario).run();
  }

  test("on a good path every frame comes out once, in order, on time, byte for byte", () => {
    const world = play({ seconds: 20, channel: steady, options: { minMs: 800 } });
    const frames = world.shown.filter((one) => one.frame.kind > FrameKind.metadata);
    expect(frames.length).toBeGreaterThan(19 * 70);
    for (const [i, one] of frames.entries()) {
      const sent = world.sent[i]?.frame;
      const isSame = one.frame.dtsMs === sent?.dtsMs && Bun.deepEquals(one.frame.body, sent.body);
      if (!isSame || one.damaged) expect(one.frame).toEqual(sent as typeof one.frame);
    }
    expect(delays(world)).toEqual([799, 800]);
    const { buffer } = world;
    expect(buffer.framesPlayed).toBe(frames.length);
    expect(buffer.framesSkipped).toBe(0);
    expect(world.stalledMs).toBe(0);
    expect(Math.abs(buffer.delayMs - 800)).toBeLessThan(5);
    expect(buffer.delayMsMax).toBeLessThan(806);
    expect(world.shown.filter((one) => one.frame.kind <= FrameKind.metadata).length).toBe(2);
  });

  test("5 % loss repaired over 100 ms of round trip costs nothing within a second", () => {
    const channel = repairedChannel(50, 5, 0.05);
    const options = { targetMs: 1000, minMs: 1000, maxMs: 1500 };
    const world = play({ seconds: 40, channel, options, seed: 7 });
    expect(world.buffer.framesSkipped).toBe(0);
    expect(world.buffer.framesDamaged).toBe(0);
    expect(world.stalledMs).toBe(0);
  });

  test("the target sinks to what the path needs, slowly, and play-out follows by stretching", () => {
    let last = 800;
    let fastest = 0;
    const world = play({
      seconds: 150,
      seed: 3,
      channel: repairedChannel(20, 10, 0.01),
      watch: (_now, { buffer }) => {
        fastest = Math.max(fastest, last - buffer.targetMs);
        last = buffer.targetMs;
      },
    });
    expect(fastest).toBeLessThan(0.1); /* ms in 10 ms */
    expect(world.buffer.targetMs).toBeLessThan(400);
    expect(world.buffer.targetMs).toBeGreaterThanOrEqual(300);
    const skipped = world.buffer.framesSkipped;
    expect(skipped / (skipped + world.buffer.framesPlayed)).toBeLessThan(0.001);
    const inTime = world.inTime.map((one) => one.delayMs);
    const steps = inTime.slice(1).map((delayMs, i) => Math.abs(delayMs - (inTime[i] as number)));
    expect(Math.max(...steps)).toBeLessThan(4);
  });

  test("the target grows when deliveries get slower, within its bound", () => {
    const slow = repairedChannel(60, 500, 0.02);
    const world = play({
      seconds: 60,
      options: { targetMs: 300 },
      channel: (passage) => (passage.at < 10_000 ? 40 : slow(passage)),
    });
    expect(world.buffer.targetMs).toBeGreaterThan(600);
    expect(world.buffer.targetMs).toBeLessThanOrEqual(1500);
    const lost = (from: number, to: number): number =>
      world.shown.filter((one) => one.at >= from && one.at < to && one.decodeOnly).length;
    expect(lost(50_000, 60_000)).toBe(0);
    expect(world.buffer.delayMsMax).toBeLessThan(1510);
  });

  test("a lost picture is skipped at its time, and those that need it are handed on as damaged", () => {
    const channel = ({ segment }: Passage): number | undefined =>
      segment.header.kind === FrameKind.inter && segment.header.dtsMs === 1000 + 4400
        ? undefined
        : 40;
    const world = play({ seconds: 10, channel, options: { minMs: 800 } });
    const { buffer } = world;
    expect(buffer.framesSkipped).toBe(1);
    expect(buffer.takeSkipped()).toBe(1);
    expect(buffer.takeSkipped()).toBe(0);
    expect(buffer.framesDamaged).toBe(39); /* the rest of a group of 50 from its 10th on */
    const damaged = world.shown.filter((one) => one.damaged).map((one) => one.frame.dtsMs);
    expect([damaged[0], damaged[38]]).toEqual([5440, 6960]);
    expect(world.stalledMs).toBe(0);
  });

  test("strict: after a lost picture nothing but sound until the next key frame, counted as skipped", () => {
    const channel = ({ segment }: Passage): number | undefined =>
      segment.header.kind === FrameKind.inter && segment.header.dtsMs === 1000 + 4400
        ? undefined
        : 40;
    const world = play({ seconds: 10, channel, options: { strict: true, minMs: 800 } });
    expect(world.buffer.framesSkipped).toBe(40);
    expect(world.buffer.framesDamaged).toBe(0);
    expect(world.shown.some((one) => one.damaged)).toBe(false);
    /* frozen from the lost one's due time + 100 ms to the next key frame: 1,600 − 100 */
    expect(Math.abs(world.stalledMs - 1500)).toBeLessThan(10);
  });

  test("a lost disposable picture damages nothing else", () => {
    const channel = ({ segment, random }: Passage): number | undefined =>
      segment.header.kind === FrameKind.disposable && random.next() < 0.3 ? undefined : 40;
    const world = play({ seconds: 10, channel, disposable: true });
    expect(world.buffer.framesSkipped).toBeGreaterThan(10);
    expect(world.buffer.framesDamaged).toBe(0);
  });

  test("a joiner gets the group so far for decoding only, and the picture is at live − target at once", () => {
    const world = play({ seconds: 10, channel: steady, joinMs: 3500, options: { minMs: 800 } });
    const frames = world.shown.filter((one) => one.frame.kind > FrameKind.metadata);
    expect(frames[0]?.frame.kind).toBe(FrameKind.key);
    expect(frames[0]?.at as number).toBeLessThan(3560);
    const lead = frames.filter((one) => one.decodeOnly);
    expect(Math.abs(lead.length - 0.74 * 72)).toBeLessThan(8); /* 2,000 .. 2,740 ms */
    expect(frames.findIndex((one) => !one.decodeOnly)).toBe(lead.length);
    expect(delays(world)).toEqual([799, 800]);
    expect(world.buffer.framesSkipped).toBe(0);
    expect(world.buffer.framesPlayed).toBe(frames.length - lead.length);
    expect(world.stalledMs).toBe(0);
  });

  test("a joiner whose burst loses fragments waits for their repair, not for ever", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const channel = repairedChannel(30, 60, 0.1);
      const world = play({ seconds: 8, channel, joinMs: 3500, seed });
      expect(world.shown[0]?.at as number).toBeLessThan(4200);
      expect(world.buffer.framesDamaged).toBe(0);
      expect(world.buffer.framesSkipped).toBeLessThan(25);
    }
  });

  test("starts with the next group when the announced one never comes", () => {
    const channel = ({ at }: Passage): number | undefined => (at <= 3500 ? undefined : 40);
    const world = play({ seconds: 8, channel, joinMs: 3500 });
    expect(world.shown[0]?.frame.kind).toBe(FrameKind.videoConfig);
    expect(Math.abs((world.shown[0]?.at as number) - 4800)).toBeLessThan(5);
    expect(world.buffer.framesDamaged).toBe(0);
  });

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

  test("asks for what is missing, the closer to its time the more urgently, and not after it", () => {
    const zones = new Map<number, Set<string>>();
    const channel = ({ number }: Passage): number | undefined =>
      number % 97 === 50 ? undefined : 40;
    const world = play({
      seconds: 12,
      channel,
      options: { minMs: 800 },
      watch: (now, { buffer, index }) => {
        expect(buffer.pullFromMs).toBeLessThan(buffer.compensateFromMs);
        for (const range of buffer.holesToAsk(now, 32)) {
          expect(range.deadline).toBeGreaterThan(now);
          const ageMs = index.ageOf(range.first, now);
          expect(ageMs).toBeLessThan(802);
          expect(ageMs >= buffer.compensateFromMs).toBe(range.zone === "compensate");
          for (let i = 0; i < range.count; i++) {
            const seen = zones.get(range.first + i) ?? new Set();
            zones.set(range.first + i, seen.add(range.zone));
          }
        }
      },
    });
    const lost = [...zones].filter(([, seen]) => seen.has("pull") && seen.has("compensate"));
    expect(lost.length).toBeGreaterThan(15);
    expect([...zones.keys()].every((number) => number % 97 === 50)).toBe(true);
    /* pushes come after 40 ms: 99 % within 50, and 50 more */
    expect(world.buffer.pullFromMs).toBe(100);
    expect(world.buffer.compensateFromMs).toBeCloseTo(800 - 155, 0);
  });

  test("what is gone is neither asked for nor waited for", () => {
    let asked = 0;
    const world = play({
      seconds: 8,
      channel: ({ number }) => (number >= 300 && number < 320 ? undefined : 40),
      watch: (now, { buffer }) => {
        if (now === 4000) buffer.handleGone(300, 20);
        if (now >= 4000) asked += buffer.holesToAsk(now, 32).length;
      },
    });
    expect(asked).toBe(0);
    expect(world.buffer.framesSkipped).toBeGreaterThan(0);
  });

  test("a run that ends is played out to its last frame, then it is finished", () => {
    const world = new PlayWorld(testHotPath(kind, 16), {
      seconds: 5,
      channel: steady,
      watch: (now, { buffer, index }) => {
        if (now === 4900) buffer.handleEnded(now, index.next());
      },
    });
    world.clock.runUntil(5500);
    expect(world.buffer.isFinished(world.clock.now)).toBe(false);
    world.clock.runUntil(7000);
    expect(world.buffer.isFinished(world.clock.now)).toBe(true);
    expect(world.shown.filter((one) => one.frame.kind > FrameKind.metadata).length).toBe(
      world.sent.length,
    );
  });

  test("never started, it has nothing to do, nothing to show and ends when told", () => {
    const hot = testHotPath(kind, 16);
    const world = new PlayWorld(hot, { seconds: 1, channel: () => undefined });
    world.clock.runUntil(1000);
    const { buffer } = world;
    expect(buffer.nextDue()).toBe(NEVER);
    expect(buffer.holesToAsk(ms(1000), 8)).toEqual([]);
    expect([buffer.fillMs(ms(1000)), buffer.holeCount(), buffer.stalledMs(ms(1000))]).toEqual([
      0, 0, 0,
    ]);
    expect(buffer.wantedFrom()).toBe(0);
    buffer.handleEnded(ms(1000), 0);
    expect(buffer.isFinished(buffer.nextDue())).toBe(true);
  });

  test("a changed configuration comes out once, right before its key frame; repeated ones do not", () => {
    const world = play({
      seconds: 10,
      channel: repairedChannel(30, 40, 0.02),
      configChangeMs: 5990,
    });
    const configs = world.shown.filter((one) => one.frame.kind === FrameKind.videoConfig);
    expect(configs.map((one) => one.frame.body[0])).toEqual([2, 102]);
    const after = world.shown[world.shown.indexOf(configs[1] as (typeof configs)[0]) + 1];
    expect([after?.frame.kind, after?.frame.dtsMs]).toEqual([FrameKind.key, 7000]);
  });

  test("whatever the channel does: in order, every frame accounted for, and no driver spins", () => {
    for (let seed = 1; seed <= 24; seed++) {
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

  test("the same seed plays the same", () => {
    const run = (): string =>
      JSON.stringify(
        play({ seconds: 5, seed: 42, channel: repairedChannel(40, 100, 0.1) }).shown.map((one) => [
          one.sequence,
          one.at,
          one.decodeOnly,
        ]),
      );
    expect(run()).toBe(run());
  });
});
