import { describe, expect, test } from "bun:test";
import { IDEAL } from "../../sim/network/link.ts";
import { CloseCode } from "../../wire/close-code.ts";
import type { ControlMessage } from "../../wire/control.ts";
import { encodePing } from "../../wire/feedback.ts";
import { encodeIdHead, PacketType } from "../../wire/packet.ts";
import { ALICE, Pair, STREAM } from "../testing/session-pair.ts";

function warning(text: string): ControlMessage {
  return { t: "warn", code: "test", text };
}

/** Alice says `count` things, one each millisecond. */
function chat(pair: Pair, count: number, bytes = 40): ControlMessage[] {
  const messages = Array.from({ length: count }, (_, i) => warning(`${i} `.padEnd(bytes, "x")));
  for (const message of messages) {
    pair.alice.command((alice, now) => {
      alice.session.sendControl(now, message);
      alice.context.finish(now);
    });
    pair.pass(1);
  }
  return messages;
}

describe("control messages", () => {
  test("arrive once, in order, through 30 % loss both ways and reordering", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const pair = new Pair({ seed }).open(300);
      const lossy = { kind: "iid", rate: 0.3 } as const;
      const weather = { delayMs: 10, loss: lossy, reorderRate: 0.2, reorderMs: 30 };
      for (const { host } of [pair.alice, pair.bob]) host.up.configure({ ...IDEAL, ...weather });
      const said = chat(pair, 60);
      pair.pass(2500);
      for (const { host } of [pair.alice, pair.bob]) host.up.configure({ ...IDEAL, delayMs: 10 });
      pair.pass(2500);
      expect(pair.b.messages).toEqual(said);
      expect(pair.a.session.isSettled).toBe(true);
    }
  });

  test("a hole in many of them never costs the session: no more than the receiver keeps is ahead", () => {
    const pair = new Pair().open(300);
    let isFirst = true;
    pair.drop = ({ bytes }) => {
      if (bytes[0] !== PacketType.CONTROL || !isFirst) return false;
      isFirst = false;
      return true;
    };
    const said = Array.from({ length: 300 }, (_, i) => warning(`${i} `.padEnd(500, "y")));
    pair.alice.command((alice, now) => {
      for (const message of said) alice.session.sendControl(now, message);
      alice.context.finish(now);
    });
    pair.pass(3000);
    expect(pair.b.closed).toEqual([]);
    expect(pair.b.messages).toEqual(said);
  });

  test("who acknowledges none of them is closed as overloaded, not kept for ever", () => {
    const pair = new Pair().open(300);
    pair.drop = ({ from, bytes }) => from === "bob" && bytes[0] === PacketType.ACK;
    chat(pair, 700, 500);
    expect(pair.a.closed).toMatchObject([{ code: CloseCode.overloaded }]);
    expect(pair.a.context.sessionCount).toBe(0);
  });
});

test("feedback that can wait travels with an ACK, and alone when none leaves in time", () => {
  const pair = new Pair().open(300);
  const entry = { playOutOffsetMs: 800, uncertaintyMs: 5, next: 7, bytesPerSecond: 100_000 };
  const feed = () =>
    pair.bob.command((bob, now) => {
      bob.session.sendFeedback(now, [{ stream: 1, ...entry }], 100);
      bob.context.finish(now);
    });
  const sizes = (type: number) =>
    pair.sent
      .splice(0)
      .filter(({ from, bytes }) => from === "bob" && bytes[0] === type)
      .map(({ bytes }) => bytes.length);
  chat(pair, 1);
  pair.pass(90);
  expect(sizes(PacketType.ACK)[0]).toBeLessThan(9 + 15 + 16);
  feed();
  chat(pair, 1);
  pair.pass(90);
  expect(sizes(PacketType.ACK)[0]).toBeGreaterThanOrEqual(9 + 15 + 16);
  feed();
  pair.pass(99);
  expect(sizes(PacketType.FEEDBACK)).toEqual([]);
  pair.pass(2);
  expect(sizes(PacketType.FEEDBACK)).toEqual([9 + 16]);
});

test("a round trip that was long for a while is not believed for ever by who sends nothing more", () => {
  const pair = new Pair({ link: { delayMs: 1200 } }).open(6000);
  pair.b.listen();
  pair.alice.command((alice, now) => alice.push(now, 0, 20));
  pair.pass(5000);
  expect(pair.a.session.srttMs()).toBeGreaterThan(2000);
  for (const { host } of [pair.alice, pair.bob]) host.up.configure({ ...IDEAL, delayMs: 10 });
  pair.pass(5000);
  expect(pair.a.session.srttMs()).toBeLessThan(30);
});

describe("media", () => {
  test("of a stream not yet announced is left unacknowledged, and comes again after", () => {
    const pair = new Pair().open(300);
    pair.alice.command((alice, now) => alice.push(now, 0, 3, 1000));
    pair.pass(60);
    expect(pair.b.fragments).toEqual([]);
    expect(pair.a.session.isSettled).toBe(false);
    pair.b.listen();
    pair.alice.command((alice, now) => alice.push(now, 3, 2, 1000));
    pair.pass(500);
    expect(pair.b.fragments.toSorted((x, y) => x - y)).toEqual([0, 1, 2, 3, 4]);
    expect(pair.a.session.isSettled).toBe(true);
  });

  test("a lost tail is found by a probe, within two round trips and a little", () => {
    const pair = new Pair().open(2000);
    pair.b.listen();
    pair.alice.command((alice, now) => alice.push(now, 9, 1));
    pair.pass(200);
    let toDrop = 3;
    pair.drop = ({ bytes }) => bytes[0] === PacketType.DATA && toDrop-- > 0;
    pair.alice.command((alice, now) => alice.push(now, 0, 3, 1000));
    pair.pass(20 + 2 * 20 + 45);
    expect(pair.b.fragments.toSorted((x, y) => x - y)).toEqual([0, 1, 2, 9]);
  });

  test("small fragments share datagrams, and a lost datagram's are all repaired", () => {
    const pair = new Pair().open(2000);
    pair.b.listen();
    let toDrop = 1;
    pair.drop = ({ bytes }) => bytes[0] === PacketType.BUNDLE && toDrop-- > 0;
    pair.alice.command((alice, now) => alice.push(now, 0, 24, 100));
    pair.pass(500);
    expect(pair.packets("alice", PacketType.BUNDLE).length).toBeGreaterThan(1);
    expect(pair.sent.filter(({ bytes }) => bytes[0] === PacketType.DATA).length).toBeLessThan(24);
    expect(pair.b.fragments.toSorted((x, y) => x - y)).toEqual([...Array(24).keys()]);
    expect(pair.a.session.isSettled).toBe(true);
    expect(pair.a.session.packetsResent).toBeGreaterThan(0);
  });
});

describe("a session", () => {
  test("keeps itself alive with nothing to say, cheaply", () => {
    const pair = new Pair().open(1000);
    const before = pair.sent.length;
    pair.pass(20_000);
    expect([pair.a.context.sessionCount, pair.b.context.sessionCount]).toEqual([1, 1]);
    expect(pair.sent.length - before).toBeLessThan(20 * 5);
  });

  test("is given up after 3 s of silence, once, on both sides", () => {
    const pair = new Pair().open(1000);
    const from = pair.world.nowMs;
    pair.drop = () => true;
    pair.pass(5000);
    for (const { closed } of [pair.a, pair.b]) {
      expect(closed).toMatchObject([{ code: CloseCode.timeout }]);
      expect((closed[0]?.at ?? 0) - from).toBeWithin(1000, 3100);
    }
    expect(pair.a.context.nextTimeout()).toBe(Number.POSITIVE_INFINITY as never);
  });

  test("closes with its reason, and frees what it held", () => {
    const pair = new Pair().open(500);
    pair.b.listen();
    pair.alice.command((alice, now) => {
      alice.push(now, 0, 4);
      alice.session.close(now, CloseCode.notWanted, "enough");
    });
    pair.pass(100);
    expect(pair.b.closed).toMatchObject([{ code: CloseCode.notWanted, detail: "enough" }]);
    expect(pair.a.closed).toEqual([]); /* it knows */
    expect([pair.a.context.sessionCount, pair.b.context.sessionCount]).toEqual([0, 0]);
    expect(pair.a.session.sources.has(STREAM)).toBe(true);
  });

  test("tells both clocks apart within the round trip", () => {
    const pair = new Pair().open(1000);
    expect(pair.a.session.clock.ready).toBe(true);
    expect(Math.abs(pair.a.session.clock.offsetMs)).toBeLessThan(1);
    expect(pair.a.session.srttMs()).toBeWithin(19, 22);
  });
});

describe("packets from off the path", () => {
  test("with a wrong connection id change nothing, but for a count", () => {
    const pair = new Pair().open(500);
    const { localHi, localLo } = pair.b.session;
    for (const [hi, lo] of [
      [localHi ^ 1, localLo],
      [localHi, localLo ^ 1],
      [0, 0],
    ] as const) {
      for (let type = 0x10; type < 0x20; type++) {
        const data = new Uint8Array(40);
        encodeIdHead(data, 0, type, hi >>> 0, lo >>> 0);
        pair.inject(ALICE, data);
      }
    }
    expect(pair.b.context.datagramsRefused).toBe(48);
    expect(pair.b.closed).toEqual([]);
    expect(pair.b.session.bytesIn).toBe(
      pair.sent
        .filter(({ from, bytes }) => from === "alice" && (bytes[0] ?? 0) >= 0x10)
        .reduce((sum, { bytes }) => sum + bytes.length, 0),
    );
  });

  test("a PING from elsewhere is answered at home only", () => {
    const pair = new Pair().open(500);
    const { localHi, localLo } = pair.b.session;
    const data = new Uint8Array(64);
    const end = encodePing(data, encodeIdHead(data, 0, PacketType.PING, localHi, localLo), 1, 2);
    const before = pair.sent.length;
    pair.inject({ ...ALICE, port: 9 }, data.slice(0, end));
    const answers = pair.sent.slice(before);
    expect(answers.map(({ to, bytes }) => [to.port, bytes[0]])).toEqual([
      [9, PacketType.CHALLENGE],
      [ALICE.port, PacketType.PONG],
    ]);
  });
});
