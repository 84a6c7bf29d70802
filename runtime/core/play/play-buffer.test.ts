import { describe, expect, test } from "bun:test";
import { ms, NEVER } from "../../base/time.ts";
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

describe.each(HOT_PATHS)("play buffer on %s", (kind) => {
  function play(scenario: PlayScenario): PlayWorld {
    return new PlayWorld(testHotPath(kind, 8), scenario).run();
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

  test("a joiner waits for all of a burst that comes slower than live frames do", () => {
    const joinMs = 6010; /* between two frames */
    let first: number | undefined;
    const channel = ({ at, number }: Passage): number => {
      if (at !== joinMs) return 20;
      first ??= number;
      return 20 + 2 * (number - first); /* some 700 fragments */
    };
    const world = play({ seconds: 12, channel, joinMs, groupFrames: 250, options: { minMs: 800 } });
    const frames = world.shown.filter((one) => one.frame.kind > FrameKind.metadata);
    expect(frames.map((one) => one.frame.dtsMs)).toEqual(
      world.sent.slice(0, frames.length).map(({ frame }) => frame.dtsMs),
    );
    expect(world.buffer.framesDamaged).toBe(0);
    expect(world.buffer.framesSkipped).toBe(0);
    expect(delays(world)[1]).toBeLessThan(806);
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
    expect(world.buffer.compensateFromMs).toBeCloseTo(800 - 200, 0);
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
    const world = new PlayWorld(testHotPath(kind, 8), {
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
    const hot = testHotPath(kind, 8);
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
