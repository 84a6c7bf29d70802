import { describe, expect, test } from "bun:test";
import { type Ms, ms } from "../../base/time.ts";
import { RecordingPort, segment } from "../testing/policy-port.ts";
import { FLAG_RESENT, SendClass, SendQueue } from "./send-queue.ts";
import { Uplink } from "./uplink.ts";

const T0 = ms(1000);

function setUp() {
  const uplink = new Uplink({
    rateBpsInitial: Number.POSITIVE_INFINITY,
    rateBpsMax: Number.POSITIVE_INFINITY,
  });
  const port = new RecordingPort();
  const queue = new SendQueue(port, uplink);
  /** Polls as a driver would, until `until`. */
  const run = (from: Ms, until: number): void => {
    uplink.poll(from);
    for (let at = uplink.pollTimeout(); at <= until; at = uplink.pollTimeout()) {
      uplink.poll(ms(Math.max(at, from)));
    }
  };
  return { uplink, port, queue, run };
}

const numbers = (port: RecordingPort): number[] => port.sent.map((item) => item.number);

describe("send queue", () => {
  test("sends a segment's fragments in order, with index, total and sizes", () => {
    const { port, queue, run } = setUp();
    queue.enqueueSegment(T0, segment(10, 3, { lastBytes: 100, deadlineMs: 2000 }));
    run(T0, T0);
    expect(
      port.sent.map(({ number, index, total, bytes }) => [number, index, total, bytes]),
    ).toEqual([
      [10, 0, 3, 1152],
      [11, 1, 3, 1152],
      [12, 2, 3, 100],
    ]);
    expect(queue.queuedBytes).toBe(0);
  });

  test("tries again when a queue that was longer than every deadline must have emptied", () => {
    const { port, queue, run } = setUp();
    const sample = { bytesAcked: 100, bytesLost: 0, rttMs: 20, receiverMs: Number.NaN };
    const push = (at: number, first: number): void => {
      queue.enqueueSegment(ms(at), segment(first, 1, { deadlineMs: at + 800 }));
      run(ms(at), at);
    };
    push(T0, 4);
    queue.handleAck(T0, { ...sample, oneWayMs: 10 }, 0);
    queue.handleAck(ms(T0 + 20), { ...sample, oneWayMs: 2010 }, 0);
    push(T0 + 100, 5);
    expect(numbers(port)).toEqual([4]);
    push(T0 + 2100, 6);
    expect(numbers(port)).toEqual([4, 6]);
  });

  test("sends only the sub-streams asked for", () => {
    const { port, queue, run } = setUp();
    const fields = { deadlineMs: 2000, subStreams: 4, mask: 0b1010 };
    queue.enqueueSegment(T0, segment(6, 8, fields));
    run(T0, T0);
    expect(numbers(port)).toEqual([7, 9, 11, 13]);
  });

  test("a thin session passes a push on at once, unless it is late or something waits", () => {
    const { port, queue, run } = setUp();
    queue.isThin = true;
    queue.takesParts = true;
    const push = (number: number, deadlineMs: number): void =>
      queue.enqueueFragment(T0, 1, number, 0, 1, 3, 1000, deadlineMs, SendClass.push);
    push(5, 3000);
    expect(numbers(port)).toEqual([5]);
    port.result = -1; /* no room */
    push(6, 3000);
    port.result = undefined;
    push(7, 3000); /* behind what waits */
    push(8, T0 + 10);
    expect(numbers(port)).toEqual([5]);
    run(T0, T0 + 100);
    expect(numbers(port)).toEqual([5, 6, 7]);
    expect(port.gone).toEqual([[1, 8, 1]]);
  });

  test("keeps the order of classes, and audio before video", () => {
    const { port, queue, run } = setUp();
    const deadlineMs = 3000;
    queue.enqueueSegment(T0, segment(100, 1, { deadlineMs, sendClass: SendClass.burst, flags: 2 }));
    queue.enqueueSegment(T0, segment(200, 1, { deadlineMs, sendClass: SendClass.pull }));
    queue.enqueueSegment(T0, segment(300, 1, { deadlineMs }));
    queue.enqueueSegment(T0, segment(400, 1, { deadlineMs, flags: 1 }));
    run(T0, T0);
    expect(numbers(port)).toEqual([400, 300, 200, 100]);
  });

  test("puts small fragments due together into one datagram", () => {
    const { port, queue, run } = setUp();
    for (let i = 0; i < 5; i++) {
      const fields = { lastBytes: 300, flags: 1, deadlineMs: 2000 };
      queue.enqueueSegment(T0, segment(i, 1, fields));
    }
    run(T0, T0);
    expect(port.datagrams).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
  });

  test("takes fragments of one segment as one run, wherever they come from", () => {
    const { port, queue, run } = setUp();
    for (let i = 0; i < 3; i++) {
      const bytes = i === 2 ? 7 : 1152;
      queue.enqueueFragment(T0, 1, 50 + i, i, 3, 3, bytes, 2000, SendClass.push);
    }
    run(T0, T0);
    expect(port.sent.map(({ number, index, bytes }) => [number, index, bytes])).toEqual([
      [50, 0, 1152],
      [51, 1, 1152],
      [52, 2, 7],
    ]);
  });

  test("waits when the packet window is full, and tries again", () => {
    const { port, queue, run, uplink } = setUp();
    port.result = -1;
    queue.enqueueSegment(T0, segment(0, 2, { deadlineMs: 2000 }));
    run(T0, T0);
    expect(port.sent).toHaveLength(0);
    expect(uplink.pollTimeout()).toBeGreaterThan(T0);
    port.result = undefined;
    run(uplink.pollTimeout(), T0 + 10);
    expect(numbers(port)).toEqual([0, 1]);
  });

  test("says what it no longer holds", () => {
    const { port, queue, run } = setUp();
    port.result = 0;
    queue.enqueueSegment(T0, segment(5, 2, { deadlineMs: 2000 }));
    run(T0, T0 + 10);
    queue.enqueueSegment(T0, segment(9, 1, { deadlineMs: 2000 }));
    run(T0, T0 + 10);
    expect(port.gone.map(([, first, count]) => [first, count])).toEqual([
      [5, 1],
      [6, 1],
      [9, 1],
    ]);
  });

  test("gives up what is too late, and says so", () => {
    const { port, queue, run } = setUp();
    queue.enqueueSegment(T0, segment(5, 4, { deadlineMs: T0 + 20 }));
    run(T0, T0);
    expect(port.sent).toHaveLength(0);
    expect(port.gone).toEqual([[1, 5, 4]]);
    expect(queue.segmentsDropped).toBe(1);
  });

  test("forgets a stream, and what the receiver has or wants no more", () => {
    const { port, queue, run } = setUp();
    const fields = { deadlineMs: 2000, sendClass: SendClass.pull };
    for (let i = 0; i < 6; i++) queue.enqueueSegment(T0, segment(i, 1, fields));
    queue.enqueueSegment(T0, segment(0, 1, { ...fields, stream: 2 }));
    queue.handleFrontier(1, 2);
    queue.handleHave(1, 3);
    queue.dropStream(2);
    run(T0, T0);
    expect(numbers(port)).toEqual([2, 4, 5]);
    queue.enqueueSegment(T0, segment(7, 1, fields));
    queue.close();
    queue.enqueueSegment(T0, segment(8, 1, fields));
    run(T0, T0 + 100);
    expect(numbers(port)).toEqual([2, 4, 5]);
    expect(queue.queuedBytes).toBe(0);
  });
});

describe("repairs", () => {
  function lost(copies: number) {
    const all = setUp();
    all.queue.enqueueSegment(T0, segment(0, 2, { deadlineMs: T0 + 300 }));
    all.run(T0, T0);
    all.port.sent.length = 0;
    all.port.sentAt.length = 0;
    all.port.copies = copies;
    return all;
  }

  test("resend once, marked, under the next attempt", () => {
    const { port, queue, run } = lost(1);
    queue.handleLost(ms(T0 + 105), 1, 1, 0, 1173);
    run(ms(T0 + 105), T0 + 250);
    const seen = port.sent.map(({ number, index, total, attempt }) => [
      number,
      index,
      total,
      attempt,
    ]);
    expect(seen).toEqual([[1, 1, 2, 1]]);
    expect((port.sent[0]?.flags ?? 0) & FLAG_RESENT).toBe(FLAG_RESENT);
  });

  test("do nothing for a stale report of an earlier attempt", () => {
    const { port, queue, run } = lost(1);
    queue.handleLost(ms(T0 + 105), 1, 1, 0, 1173);
    run(ms(T0 + 105), T0 + 110);
    queue.handleLost(ms(T0 + 110), 1, 1, 0, 1173);
    run(ms(T0 + 110), T0 + 130);
    expect(port.sent).toHaveLength(1);
    queue.handleLost(ms(T0 + 210), 1, 1, 1, 1173);
    run(ms(T0 + 210), T0 + 220);
    expect(port.sent.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  test("of the last round are spaced, and cancelled by an acknowledgement", () => {
    const { port, queue, run } = lost(3);
    queue.handleLost(ms(T0 + 150), 1, 0, 0, 1173);
    run(ms(T0 + 150), T0 + 171);
    expect(port.sentAt.map((at) => Math.round(at - T0))).toEqual([150, 170]);
    queue.handleAcked(1, 0);
    run(ms(T0 + 171), T0 + 300);
    expect(port.sent).toHaveLength(2);
    queue.handleLost(ms(T0 + 260), 1, 0, 1, 1173);
    run(ms(T0 + 260), T0 + 300);
    expect(port.sent).toHaveLength(2);
  });

  test("wait until every copy of a round is lost", () => {
    const { port, queue, run } = lost(2);
    queue.handleLost(ms(T0 + 120), 1, 0, 0, 1173);
    run(ms(T0 + 120), T0 + 145);
    expect(port.sent).toHaveLength(2);
    queue.handleLost(ms(T0 + 225), 1, 0, 1, 1173);
    run(ms(T0 + 225), T0 + 230);
    expect(port.sent).toHaveLength(2);
    queue.handleLost(ms(T0 + 245), 1, 0, 1, 1173);
    run(ms(T0 + 245), T0 + 249);
    expect(port.sent.map(({ attempt }) => attempt)).toEqual([1, 1, 2, 2]);
  });

  test("are given up when hopeless, and the receiver is told", () => {
    const { port, queue, run } = lost(0);
    queue.handleLost(ms(T0 + 290), 1, 1, 0, 1173);
    run(ms(T0 + 290), T0 + 300);
    expect(port.sent).toHaveLength(0);
    expect(port.gone).toEqual([[1, 1, 1]]);
  });

  test("go before everything else", () => {
    const { port, queue, run } = lost(1);
    queue.enqueueSegment(ms(T0 + 105), segment(2, 1, { deadlineMs: T0 + 110 + 300 }));
    queue.handleLost(ms(T0 + 105), 1, 1, 0, 1173);
    run(ms(T0 + 105), T0 + 106);
    expect(numbers(port)).toEqual([1, 2]);
  });

  test("find their segment among many, long after", () => {
    const { port, queue, run } = setUp();
    for (let i = 0; i < 300; i++) {
      queue.enqueueSegment(T0, segment(i * 3, 3, { deadlineMs: T0 + 5000, dependsOn: 0 }));
    }
    run(T0, T0 + 1000);
    port.sent.length = 0;
    queue.handleLost(ms(T0 + 1000), 1, 4, 0, 1173);
    run(ms(T0 + 1000), T0 + 1010);
    expect(port.sent.map(({ number, index, total }) => [number, index, total])).toEqual([
      [4, 1, 3],
    ]);
  });
});
