import { beforeEach, describe, expect, test } from "bun:test";
import { FrameKind, type MediaFrame } from "../../wire/frame.ts";
import { PublishedLog } from "./published-log.ts";
import { Tallies } from "./tally.ts";
import { ViewerMeter } from "./viewer-meter.ts";

const EPOCH = 7;
const DELAY_MS = 500;

/**
 * Picture every 40 ms, sound every 20, from time 0, one epoch; played after `DELAY_MS` unless told
 * otherwise.
 */
class Bench {
  readonly log = new PublishedLog();
  readonly tallies = new Tallies(2000);
  readonly frames: MediaFrame[] = [];
  readonly meter: ViewerMeter;

  constructor(joinMs = 0) {
    this.log.beginEpoch(EPOCH);
    this.#add(FrameKind.videoConfig, 0);
    for (let at = 0; at < 4000; at += 20) {
      if (at % 40 === 0) this.#add(at === 0 ? FrameKind.key : FrameKind.inter, at);
      this.#add(FrameKind.audio, at);
    }
    this.meter = new ViewerMeter(joinMs, this.log, this.tallies);
  }

  #add(kind: FrameKind, dtsMs: number): void {
    const body = new Uint8Array(100).fill((dtsMs / 20 + kind) & 255);
    const frame: MediaFrame = { kind, dtsMs, ptsOffsetMs: 0, body };
    this.frames.push(frame);
    this.log.add(frame, dtsMs);
  }

  /** Plays what `when` gives a time for. */
  play(when: (frame: MediaFrame) => number | undefined, decodeOnlyUntil = -1): void {
    for (const frame of this.frames) {
      const at = when(frame);
      if (at === undefined) continue;
      this.meter.handleFrame(at, EPOCH, frame, frame.dtsMs < decodeOnlyUntil, false);
    }
  }
}

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});

const onTime = ({ dtsMs }: MediaFrame): number => dtsMs + DELAY_MS;

describe("a viewer's figures", () => {
  test("of a faultless run", () => {
    bench.play(onTime);
    bench.meter.finish(4000 + DELAY_MS);
    const { whole, afterWarmup } = bench.tallies;
    expect([whole.framesDue, whole.framesSkipped, whole.stalledMs]).toEqual([300, 0, 0]);
    expect([whole.delay.mean, whole.delay.max]).toEqual([DELAY_MS, DELAY_MS]);
    expect(whole.firstFrame.max).toBe(DELAY_MS);
    expect([whole.watchedMs, afterWarmup.watchedMs]).toEqual([4000, 2500]);
    expect(whole.demandBytes).toBe(30_000);
    expect(bench.meter.faultCount).toBe(0);
  });

  test("absent frames are skipped, and a gap in the picture is a freeze from when the next was due", () => {
    bench.play((frame) =>
      frame.kind >= FrameKind.key && frame.dtsMs >= 1000 && frame.dtsMs < 1400
        ? undefined
        : onTime(frame),
    );
    bench.meter.finish(4000 + DELAY_MS);
    expect(bench.tallies.whole.framesSkipped).toBe(10);
    expect(bench.tallies.whole.framesDue).toBe(300);
    expect(bench.tallies.whole.stalledMs).toBe(400);
    expect(bench.tallies.afterWarmup.stalledMs).toBe(0);
  });

  test("a short delay between frames is no freeze; sound and picture frozen together count once", () => {
    bench.play((frame) => onTime(frame) + (frame.dtsMs >= 1000 ? 90 : 0));
    expect(bench.tallies.whole.stalledMs).toBe(0);
    const other = new Bench();
    other.play((frame) => onTime(frame) + (frame.dtsMs >= 1000 ? 300 : 0));
    expect(other.tallies.whole.stalledMs).toBe(300);
    expect(other.tallies.whole.framesSkipped).toBe(0);
  });

  test("a freeze that lasts to the end counts to the end", () => {
    bench.play((frame) => (frame.dtsMs < 2000 ? onTime(frame) : undefined));
    bench.meter.finish(4000);
    expect(bench.tallies.whole.stalledMs).toBe(1500);
    /* Published before 4000 − 500 − 100: 75 % more of the pictures and sounds of 1.4 s. */
    expect(bench.tallies.whole.framesSkipped).toBe(105);
  });

  test("what is only decoded counts for neither delay nor demand", () => {
    bench.play(({ dtsMs }) => (dtsMs < 1000 ? 1300 : dtsMs + DELAY_MS), 1000);
    expect(bench.tallies.whole.framesDue).toBe(225);
    expect(bench.tallies.whole.delay.max).toBe(DELAY_MS);
    expect(bench.tallies.whole.firstFrame.max).toBe(1300);
  });

  test("what comes too late to be seen once play-out has begun is skipped, with the gap before it", () => {
    for (const frame of bench.frames) {
      if (frame.dtsMs >= 1000 && frame.dtsMs < 1040) continue;
      const isLate = frame.dtsMs >= 1040 && frame.dtsMs < 1080;
      bench.meter.handleFrame(onTime(frame), EPOCH, frame, isLate, false);
    }
    bench.meter.finish(4000 + DELAY_MS);
    /* Each 40 ms hold one picture and two sounds: one span absent, one late. */
    expect(bench.tallies.whole.framesSkipped).toBe(6);
    expect(bench.tallies.whole.framesDue).toBe(300);
  });

  test("who never sees anything has been frozen all the time", () => {
    bench.meter.finish(9000);
    const { whole } = bench.tallies;
    expect([whole.viewersNeverStarted, whole.stalledMs, whole.watchedMs]).toEqual([1, 9000, 9000]);
  });

  test("frames out of order, unknown, before their time or with other bytes are faults", () => {
    const { meter, frames } = bench;
    const [config, key, , audio] = frames as [MediaFrame, MediaFrame, MediaFrame, MediaFrame];
    meter.handleFrame(600, EPOCH, key, false, false); /* without configuration */
    meter.handleFrame(600, EPOCH, config, false, false);
    meter.handleFrame(601, EPOCH, audio, false, false);
    meter.handleFrame(602, EPOCH, key, false, false); /* again */
    meter.handleFrame(603, EPOCH + 1, audio, false, false);
    const [far] = frames.slice(-1) as [MediaFrame];
    meter.handleFrame(604, EPOCH, { ...far, body: far.body.map((byte) => byte ^ 1) }, false, false);
    /* The last one is wrong twice: other bytes, and played before its capture. */
    expect(meter.faultCount).toBe(5);
    expect(meter.faults[0]).toContain("without a configuration");
  });
});
