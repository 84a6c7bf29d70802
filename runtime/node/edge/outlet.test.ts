import { describe, expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import { Pair } from "../../core/testing/session-pair.ts";
import { AnswerCode, type AnswerPacket, RequestFlag } from "../../wire/feedback.ts";
import { FrameKind } from "../../wire/frame.ts";
import { Intake } from "../intake.ts";
import { linkStats } from "../link-stats.ts";
import { OwnStream } from "../peer/own-stream.ts";
import { streamIdOf } from "../stream-id.ts";
import { FanRounds } from "./fan-round.ts";
import { Outlet } from "./outlet.ts";

const IDENTITY = { name: "live/a", id: streamIdOf("live/a"), epoch: 3 };
const RETENTION = { retainMs: 5000, groupMsMax: 12_000 };

/** Fragments by themselves, as a super node passes them on, and by rounds, as an edge does. */
const WAYS = [
  ["fragment by fragment", false],
  ["by rounds", true],
] as const;

/** Alice has a stream and an outlet; Bob receives it. */
function setup(byRounds: boolean) {
  const pair = new Pair().open(500);
  const { a, b } = pair;
  const own = new OwnStream(a.hot, IDENTITY, RETENTION);
  const rounds = byRounds ? new FanRounds([a.context]) : undefined;
  const outlet = new Outlet(a.hot, IDENTITY.name, rounds);
  const whole: number[] = [];
  const intake = new Intake(b.hot, IDENTITY, RETENTION, {
    handleFresh: () => {},
    handleWhole: (_now, _intake, first) => whole.push(first),
  });
  const answers: AnswerPacket[] = [];
  b.handleAnswer = ((_now: unknown, _session: unknown, answer: AnswerPacket) => {
    answers.push(answer);
  }) as never;
  b.session.sinks.set(1, intake);
  const push = (count: number) => {
    for (let i = 0; i < count; i++) {
      pair.alice.command((alice, now) => {
        const kind = i === 0 ? FrameKind.key : FrameKind.inter;
        const body = new Uint8Array(1500).fill(i);
        for (const cut of own.push(now, { kind, dtsMs: i * 40, ptsOffsetMs: 0, body })) {
          for (let at = 0; at < cut.total; at++) {
            const bytes = at === cut.total - 1 ? cut.lastBytes : cut.fragmentBytes;
            if (outlet.source === undefined) continue;
            outlet.fanOut(now, cut.first + at, at, cut.total, cut.flags, bytes);
          }
        }
        rounds?.run(now);
        alice.context.finish(now);
      });
      pair.pass(10);
    }
  };
  const add = () =>
    pair.alice.command((alice, now) => {
      outlet.begin(now, own);
      outlet.add(now, alice.session);
      alice.context.finish(now);
    });
  const ask = (first: number, count: number) =>
    pair.alice.command((alice, now) => {
      const receiver = outlet.receivers.get(alice.session);
      const ranges = [{ first, count }];
      if (receiver !== undefined) {
        outlet.answer(now, receiver, { stream: receiver.index, flags: RequestFlag.urgent, ranges });
      }
      alice.context.finish(now);
    });
  return { pair, own, outlet, intake, whole, answers, push, add, ask };
}

describe.each(WAYS)("an outlet, %s", (_, byRounds) => {
  test("tells a receiver of the run, and pushes it what comes", () => {
    const { pair, outlet, whole, push, add } = setup(byRounds);
    add();
    push(5);
    pair.pass(100);
    expect(pair.b.messages[0]).toMatchObject({ t: "stream", name: "live/a", epoch: 3 });
    expect(whole.length).toBe(5);
    expect(outlet.sent().bytesOut).toBeGreaterThan(7500);
  });

  test("gives a late joiner the group so far, marked as that", () => {
    const { pair, intake, whole, push, add } = setup(byRounds);
    push(6);
    add();
    pair.pass(200);
    expect(whole.length).toBe(6);
    expect(intake.fragmentsByPhase).toEqual([0, 0, 0, 12]);
  });

  test("answers what is asked for: here, gone, not yet, or too much", () => {
    const { pair, own, intake, answers, push, add, ask } = setup(byRounds);
    add();
    pair.drop = ({ bytes }) => bytes[0] === 0x10 || bytes[0] === 0x11;
    push(4);
    pair.drop = () => false;
    ask(0, 2);
    pair.pass(60);
    expect(intake.fragmentsByPhase[2]).toBeGreaterThanOrEqual(2);
    ask(100, 3);
    pair.pass(20);
    expect(answers.at(-1)?.code).toBe(AnswerCode.notYet);
    own.index.evictOldest();
    ask(0, 1);
    pair.pass(20);
    expect(answers.at(-1)).toMatchObject({
      code: AnswerCode.gone,
      ranges: [{ first: 0, count: 1 }],
    });
    ask(1000, 65_535);
    pair.pass(20);
    const refused = answers.at(-1);
    expect(refused?.code).toBe(AnswerCode.refused);
    expect(refused?.retryMs).toBeGreaterThan(0);
  });

  test("a run that is over still repairs its tail, then gives everything back", () => {
    const { pair, outlet, whole, push, add } = setup(byRounds);
    add();
    push(3);
    pair.pass(100);
    let toDrop = 2;
    pair.drop = ({ bytes }) => bytes[0] === 0x10 && toDrop-- > 0;
    push(1);
    pair.alice.command((alice, now) => {
      outlet.end(now, 2000);
      alice.context.finish(now);
    });
    pair.pass(400);
    expect(whole.length).toBe(4);
    expect(pair.b.messages.at(-1)).toMatchObject({ t: "ended" });
    expect(outlet.isEnding).toBe(true);
    expect(pair.a.hot.payloadBytesUsed()).toBeGreaterThan(0);
    outlet.tick(ms(pair.world.nowMs + 2000));
    expect(outlet.isEnding).toBe(false);
    expect(pair.a.hot.payloadBytesUsed()).toBe(0);
  });

  test("a receiver that takes no control in is dropped, and nothing throws", () => {
    const { pair, outlet, push, add } = setup(byRounds);
    add();
    push(2);
    pair.alice.command((alice, now) => {
      const text = "x".repeat(500);
      while (alice.session.isOpen) {
        alice.session.sendControl(now, { t: "warn", code: "a", text });
      }
      outlet.end(now);
    });
    expect(pair.a.context.sessionCount).toBe(0);
    pair.alice.command((alice, now) => {
      const next = new OwnStream(alice.hot, IDENTITY, RETENTION);
      next.push(now, { kind: FrameKind.key, dtsMs: 0, ptsOffsetMs: 0, body: new Uint8Array(10) });
      outlet.begin(now, next); /* to a receiver whose session has just ended */
    });
  });
});

test("a link's figures are its session's", () => {
  const { pair, push, add } = setup(true);
  add();
  push(10);
  pair.pass(500);
  const stats = pair.alice.command((alice, now) => linkStats(now, alice.session));
  expect(stats).toMatchObject({
    agent: "bob",
    address: "10.0.0.2:4000",
    packetsLost: 0,
    lossRate: 0,
  });
  expect(stats.rttMs).toBeWithin(19, 25);
  expect(stats.bytesOut).toBeGreaterThan(15_000);
  expect(stats.queuedBytes).toBe(0);
});
