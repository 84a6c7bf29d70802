/**
 * The situations the sending policy is held to (DESIGN §8), each a function of its seed that returns figures. The
 * tests run them short; anyone may run them longer.
 */
import type { Ms } from "../../base/time.ts";
import type { HotPath } from "../hot-path/hot-path.ts";
import type { QueuedSegment } from "../sending/send-queue.ts";
import { Link, type LinkOptions, VirtualClock } from "./bottleneck.ts";
import { FAST_ACKS, PolicyNode, PolicyPair, type ReceiverOptions } from "./policy-pair.ts";
import { Video, type VideoOptions } from "./policy-video.ts";

export interface PairScenario {
  readonly seed: number;
  readonly seconds: number;
  readonly forward: LinkOptions;
  readonly back: LinkOptions;
  readonly video: VideoOptions;
  readonly receiver?: ReceiverOptions;
  readonly warmUpSeconds?: number;
  /** Called before the run, to schedule changes of the link or cross traffic. */
  readonly prepare?: (clock: VirtualClock, forward: Link, back: Link) => void;
  /** Called every 100 ms. */
  readonly watch?: (now: number, pair: PolicyPair, forward: Link) => void;
}

export interface PairFigures {
  readonly frames: number;
  /** Shares of frames. */
  readonly late: number;
  readonly playable: number;
  readonly audioLate: number;
  /** Fragments sent again / fragments sent. */
  readonly overhead: number;
  readonly queueMsMean: number;
  readonly queueMsMax: number;
  readonly dropped: number;
  readonly lossRate: number;
  readonly rateBps: number;
}

/** One sender, one receiver, one stream of frames. */
export function runPair(hot: HotPath, scenario: PairScenario): PairFigures {
  const clock = new VirtualClock();
  const forward = new Link(clock, scenario.forward, scenario.seed * 2 + 1);
  const back = new Link(clock, scenario.back, scenario.seed * 2 + 2);
  const unlimited = { rateBpsInitial: 20e6, rateBpsMax: Number.POSITIVE_INFINITY };
  const node = new PolicyNode(clock, hot, unlimited);
  const video = new Video(clock, scenario.video);
  const pair = new PolicyPair(
    node,
    forward,
    back,
    scenario.receiver ?? FAST_ACKS,
    (now, _, number) => video.handleFragment(now, number),
  );
  const endMs = scenario.seconds * 1000;
  video.start(0, endMs, (now: Ms, segment: QueuedSegment) => {
    pair.queue.enqueueSegment(now, segment);
    node.finish();
  });
  scenario.prepare?.(clock, forward, back);
  for (let at = 100; at <= endMs; at += 100) {
    clock.runUntil(at);
    scenario.watch?.(at, pair, forward);
  }
  clock.runUntil(endMs + 2000);
  const from = (scenario.warmUpSeconds ?? 0) * 1000;
  const deadlineMs = scenario.video.deadlineMs;
  const score = video.score(from, endMs, deadlineMs);
  const audio = video.audioLate(from, endMs, deadlineMs);
  return {
    frames: score.all,
    late: 1 - score.inTime / score.all,
    playable: score.playable / score.all,
    audioLate: audio.all === 0 ? 0 : audio.late / audio.all,
    overhead: pair.repairsSent / pair.firstSent,
    queueMsMean: forward.queueMsSum / forward.packets,
    queueMsMax: forward.queueMsMax,
    dropped: forward.dropped,
    lossRate: forward.lost / forward.packets,
    rateBps: pair.queue.rateBps,
  };
}

/** 2 Mbit/s, 30 fps, RTT 100 ms, random loss both ways (research: transport.md §4). */
export function lossScenario(
  seed: number,
  seconds: number,
  loss: number,
  deadlineMs: number,
): PairScenario {
  return {
    seed,
    seconds,
    forward: { delayMs: 50, loss },
    back: { delayMs: 50, loss },
    video: {
      bitsPerSecond: 7 * 1152 * 8 * 30,
      framesPerSecond: 30,
      groupFrames: 60,
      keyFactor: 1,
      deadlineMs,
    },
    warmUpSeconds: 2,
  };
}

/** 2 Mbit/s into 1.6 Mbit/s with a 40 KB tail-drop queue, RTT 100 ms, deadline 600 ms. */
export function overloadScenario(
  seed: number,
  seconds: number,
  video: Partial<VideoOptions> = {},
): PairScenario {
  return {
    seed,
    seconds,
    forward: { delayMs: 50, rateBps: 1.6e6, queueBytes: 40_000 },
    back: { delayMs: 50 },
    video: {
      bitsPerSecond: 2e6,
      framesPerSecond: 30,
      groupFrames: 60,
      keyFactor: 1,
      deadlineMs: 600,
      ...video,
    },
  };
}
