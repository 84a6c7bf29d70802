import { beforeEach, describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { ms } from "../../base/time.ts";
import type { PlayBuffer } from "../../core/play/play-buffer.ts";
import type { Session } from "../../core/session/session.ts";
import { createScorer } from "../../score/scorer.ts";
import { AnswerCode, RequestFlag, type RequestPacket } from "../../wire/feedback.ts";
import { createSwarmParams } from "../swarm-params.ts";
import { type Neighbour, Neighbours } from "./neighbours.ts";
import type { Parents } from "./parents.ts";
import type { Playback } from "./playback.ts";
import { Puller } from "./puller.ts";

const PARAMS = createSwarmParams({ subStreams: 4, pullPatienceMs: 40 });
const PLAYOUT_MS = 800;
const RTT_MS = 40;

interface Line {
  readonly session: Session;
  readonly asked: RequestPacket[];
}

function line(): Line {
  const asked: RequestPacket[] = [];
  const session = {
    srttMs: () => RTT_MS,
    rttVarMs: () => 5,
    lossRate: () => 0,
    sendRequest: (_now: unknown, request: RequestPacket) => asked.push(request),
  } as unknown as Session;
  return { session, asked };
}

describe("a puller", () => {
  let puller: Puller;
  let neighbours: Neighbours;
  let edge: Line;
  let near: Line;
  let other: Line;
  let parent: Session | undefined;
  let missing: Set<number>;
  let gone: number[];

  /** Fragment n is captured at n × 10 ms; all but `missing` are here. */
  function ask(now: number): void {
    const out = new Int32Array(256);
    const numbers = [...missing].sort((a, b) => a - b);
    const playback = {
      hot: { out },
      edgeIndex: 1,
      intake: {
        index: {
          next: () => 1000,
          ageOf: (number: number) => now - number * 10,
          holes: () => {
            out.set(numbers);
            return numbers.length;
          },
        },
      },
      buffer: {
        wantedFrom: () => 0,
        playoutMs: () => PLAYOUT_MS,
        compensateFromMs: 600,
        holesToAsk: () =>
          numbers
            .filter((number) => now - number * 10 >= 600)
            .map((first) => {
              const deadline = ms(first * 10 + PLAYOUT_MS);
              return { first, count: 1, zone: "compensate", deadline };
            }),
      },
    } as unknown as Playback;
    const parents = { parentOf: () => parent, lateAfterMs: () => 200 } as unknown as Parents;
    puller.ask(ms(now), playback, parents, edge.session);
  }

  function meet(id: number, { session }: Line): Neighbour {
    const neighbour = neighbours.add(ms(0), session, new Uint8Array(8).fill(id), 0, "mesh");
    neighbour.index = 3;
    return neighbour;
  }

  function has(neighbour: Neighbour, base: number, now: number): void {
    const bits = new Uint8Array(8).fill(0xff);
    neighbour.handleMap(ms(now), { stream: 3, base, run: 0, spareBps: 1_000_000, bits });
  }

  beforeEach(() => {
    const random = new Prng(3);
    neighbours = new Neighbours(PARAMS, random, createScorer("rtt", random));
    puller = new Puller(PARAMS, random, neighbours);
    [edge, near, other] = [line(), line(), line()];
    parent = undefined;
    missing = new Set([100]);
    gone = [];
  });

  test("leaves a fragment the time it usually takes", () => {
    parent = near.session;
    has(meet(1, near), 96, 1000);
    ask(1190);
    expect(near.asked).toEqual([]);
  });

  test("asks the parent first, whose packet was lost, then a neighbour that has it", () => {
    parent = near.session;
    meet(1, near);
    has(meet(2, other), 96, 1000);
    ask(1250);
    const ranges = [{ first: 100, count: 1 }];
    expect(near.asked).toEqual([{ stream: 3, flags: RequestFlag.pull, ranges }]);
    ask(1300);
    expect(other.asked).toEqual([]);
    ask(1250 + RTT_MS + PARAMS.pullPatienceMs);
    expect(other.asked).toEqual([{ stream: 3, flags: RequestFlag.pull, ranges }]);
  });

  test("asks nobody whose map does not show it, or is old", () => {
    const neighbour = meet(1, near);
    has(neighbour, 200, 1000);
    ask(1400);
    has(neighbour, 96, -2000);
    ask(1450);
    expect(near.asked).toEqual([]);
  });

  test("asks another at once when one does not have it after all, or has gone", () => {
    const first = meet(1, near);
    has(first, 96, 1000);
    ask(1300);
    const answer = { stream: 3, code: AnswerCode.notYet, retryMs: 0 };
    const ranges = [{ first: 100, count: 1 }];
    puller.handleAnswer(ms(1310), { ...answer, ranges }, {} as PlayBuffer, false);
    expect(first.inFlight).toBe(0);
    expect(first.hitRate).toBeLessThan(1);
    ask(1320);
    expect(near.asked.length).toBe(2);
    has(meet(2, other), 96, 1000);
    puller.handleGone(first);
    neighbours.remove(near.session);
    ask(1330);
    expect(other.asked.length).toBe(1);
  });

  test("asks the edge when it is urgent, and again only after a round trip", () => {
    ask(1500);
    expect(edge.asked).toEqual([]);
    ask(1600);
    ask(1640);
    const urgent = { stream: 1, flags: RequestFlag.urgent, ranges: [{ first: 100, count: 1 }] };
    expect(edge.asked).toEqual([urgent]);
    ask(1680);
    expect(edge.asked).toEqual([urgent, urgent]);
  });

  test("doubles the last request that can be answered in time", () => {
    ask(1700);
    expect(edge.asked.length).toBe(2);
    expect(puller.edgeRequests).toBe(1);
  });

  test("gives up what can no longer come in time, and what the edge has not", () => {
    has(meet(1, near), 96, 1500);
    ask(1000 + PLAYOUT_MS);
    expect(near.asked).toEqual([]);
    const buffer = { handleGone: (first: number, count: number) => gone.push(first, count) };
    const answer = { stream: 1, code: AnswerCode.gone, retryMs: 0 };
    const ranges = [{ first: 100, count: 3 }];
    puller.handleAnswer(ms(1700), { ...answer, ranges }, buffer as unknown as PlayBuffer, true);
    expect(gone).toEqual([100, 3]);
  });

  test("credits who has brought it", () => {
    const neighbour = meet(1, near);
    has(neighbour, 96, 1000);
    ask(1300);
    expect(neighbour.inFlight).toBe(1);
    puller.handleFresh(ms(1350), 100, near.session);
    expect(neighbour.inFlight).toBe(0);
    expect(neighbour.answerMs).toBe(50);
  });
});
