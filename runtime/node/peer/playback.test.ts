import { beforeEach, describe, expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import { MAX_BODY_BYTES } from "../../core/hot-path/hot-path.ts";
import type { Session, StreamSink } from "../../core/session/session.ts";
import { createHotPath } from "../../wasm/create.ts";
import type { FragmentHeader } from "../../wire/packet.ts";
import type { PeerOptions } from "../api.ts";
import { streamIdOf } from "../stream-id.ts";
import type { PeerSwarm } from "./peer-swarm.ts";
import { Playback } from "./playback.ts";

const OPTIONS = {
  targetMs: 800,
  targetMsMin: 300,
  targetMsMax: 1500,
  strict: false,
  fragmentsKept: 256,
};
const STREAM = { name: "live/a", id: streamIdOf("live/a"), epoch: 1 };
const hot = createHotPath({ memoryMiB: 8 });

describe("a playback", () => {
  let fresh: number[];
  let playback: Playback;
  let sinks: Map<number, StreamSink>;
  let session: Session;

  beforeEach(() => {
    fresh = [];
    const swarm = {
      handleFresh: (_now: unknown, _playback: unknown, { number }: FragmentHeader) => {
        fresh.push(number);
      },
    } as unknown as PeerSwarm;
    playback = new Playback(hot, STREAM, OPTIONS as unknown as PeerOptions, swarm);
    sinks = new Map();
    session = { sinks, srttMs: () => 40 } as unknown as Session;
  });

  /** The middle of a large segment comes: its fragments are numbered from 90 on. */
  function come(number: number): void {
    const header = { stream: 1, number, index: number - 90, total: 60, flags: 0 };
    const data = new Uint8Array(MAX_BODY_BYTES);
    const place = header as unknown as FragmentHeader;
    playback.intake.handleFragment(ms(number), session, place, data, 0, MAX_BODY_BYTES, 0);
  }

  test("hands on what is new, once", () => {
    come(97);
    come(98);
    come(97);
    expect(fresh).toEqual([97, 98]);
    expect(playback.intake.duplicates).toBe(1);
  });

  test("knows the first fragment of a sub-stream that is wanted and missing", () => {
    playback.bind(session, 1, 96);
    for (const number of [96, 97, 98, 100, 105]) come(number);
    expect(playback.firstMissing(0, 4)).toBe(104);
    expect(playback.firstMissing(1, 4)).toBe(101);
    expect(playback.firstMissing(2, 4)).toBe(102);
    expect(playback.firstMissing(3, 4)).toBe(99);
  });

  test("moves to another session, and leaves the old one's index", () => {
    playback.bind(session, 1, 96);
    playback.bind(session, 2, 96);
    expect([...sinks.keys()]).toEqual([2]);
    playback.unbind(session);
    expect(playback.edgeIndex).toBe(0);
    expect(sinks.size).toBe(0);
  });

  test("said to be over, goes on when another edge sends more of it", () => {
    playback.bind(session, 1, 96);
    playback.handleEnded(ms(100), 1, 96);
    expect(playback.isFinished(ms(9000))).toBe(true);
    playback.bind(session, 2, 96);
    expect(playback.isFinished(ms(9000))).toBe(false);
  });

  test("is over a while after another run has begun, played out or not", () => {
    playback.bind(session, 1, 96);
    come(96);
    expect(playback.isOver(ms(10_000))).toBe(false);
    playback.handleSucceeded(ms(10_000));
    expect(playback.isOver(ms(13_001))).toBe(true);
  });

  test("says that it has no clock as long as it has none", () => {
    expect(playback.feedback(ms(0), 4)).toMatchObject({ stream: 4, uncertaintyMs: 0xffff });
    playback.intake.clock.setLocal(ms(0));
    expect(playback.feedback(ms(0), 4).uncertaintyMs).toBe(0);
  });
});
