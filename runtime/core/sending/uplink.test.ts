import { describe, expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import { createTwinHotPath } from "../hot-path/hot-path-twin.ts";
import { Link, VirtualClock } from "../testing/bottleneck.ts";
import { PEER_ACKS, PolicyNode, PolicyPair } from "../testing/policy-pair.ts";
import { RecordingPort, segment } from "../testing/policy-port.ts";
import { Video } from "../testing/policy-video.ts";
import { SendQueue } from "./send-queue.ts";
import { Uplink } from "./uplink.ts";

const UNLIMITED = Number.POSITIVE_INFINITY;

describe("uplink", () => {
  test("takes turns between receivers under a cap, and keeps the cap", () => {
    const uplink = new Uplink({ rateBpsInitial: 8e6, rateBpsMax: 8e6 });
    const order: string[] = [];
    const queues = ["a", "b", "c"].map((name) => {
      const port = new RecordingPort();
      const send = port.sendFragment.bind(port);
      port.sendFragment = (now, item) => {
        order.push(name);
        return send(now, item);
      };
      return new SendQueue(port, uplink);
    });
    for (const queue of queues) queue.enqueueSegment(ms(0), segment(0, 100, { deadlineMs: 5000 }));
    uplink.poll(ms(0));
    while (uplink.pollTimeout() <= 100) uplink.poll(uplink.pollTimeout());
    expect(order.slice(0, 6)).toEqual(["a", "b", "c", "a", "b", "c"]);
    const bytes = order.length * 1173;
    expect(bytes).toBeLessThan(100_000 + 26_000);
    expect(bytes).toBeGreaterThan(100_000);
  });

  test("spreads a key frame at no less than 20 Mbit/s while nothing limits it", () => {
    const uplink = new Uplink({ rateBpsInitial: UNLIMITED, rateBpsMax: UNLIMITED });
    const port = new RecordingPort();
    const queue = new SendQueue(port, uplink);
    queue.enqueueSegment(ms(1000), segment(0, 80, { deadlineMs: 2000, flags: 2 }));
    uplink.poll(ms(1000));
    const atOnce = port.sent.length;
    expect(atOnce).toBeLessThan(30);
    while (uplink.pollTimeout() <= 2000) uplink.poll(uplink.pollTimeout());
    expect(port.sent).toHaveLength(80);
    expect(port.sentAt.at(-1)).toBeLessThan(1030);
  });

  test("counts what sessions send by themselves against the rate", () => {
    const uplink = new Uplink({ rateBpsInitial: 1e6, rateBpsMax: 1e6 });
    const port = new RecordingPort();
    const queue = new SendQueue(port, uplink);
    for (let i = 0; i < 60; i++) uplink.countSent(ms(0), 1000);
    queue.enqueueSegment(ms(0), segment(0, 1, { deadlineMs: 2000 }));
    uplink.poll(ms(0));
    expect(port.sent).toHaveLength(0);
    expect(uplink.pollTimeout()).toBeGreaterThan(200);
  });

  /** `count` children of 50 kbit/s, each acknowledging twice a second, behind one uplink. */
  function children(count: number, rateBps: number, loss: number, seconds: number) {
    const clock = new VirtualClock();
    const shared = new Link(clock, { delayMs: 5, rateBps, queueBytes: 40_000, loss }, 1);
    const hot = createTwinHotPath();
    const node = new PolicyNode(clock, hot, { rateBpsInitial: 20e6, rateBpsMax: UNLIMITED });
    const videos: Video[] = [];
    for (let i = 0; i < count; i++) {
      const tail = new Link(clock, { delayMs: 10 + (i % 40), jitterMs: 3 }, 100 + i);
      const back = new Link(clock, { delayMs: 15 + (i % 40), jitterMs: 3 }, 300 + i);
      const options = { framesPerSecond: 5.5, groupFrames: 11, keyFactor: 1, deadlineMs: 500 };
      const video = new Video(clock, { bitsPerSecond: 50e3, ...options });
      const path = {
        send: (n: number, done: () => void) => shared.send(n, () => tail.send(n, done)),
      };
      const pair = new PolicyPair(node, path, back, PEER_ACKS, (now, _, n) => {
        video.handleFragment(now, n);
      });
      video.start(i * 50, seconds * 1000, (now, frame) => {
        pair.queue.enqueueSegment(now, frame);
        node.finish();
      });
      videos.push(video);
    }
    let queueMs = 0;
    let samples = 0;
    for (let at = 8000; at <= seconds * 1000; at += 100) {
      clock.runUntil(at);
      queueMs += (shared.queued * 8000) / rateBps;
      samples++;
    }
    clock.runUntil(seconds * 1000 + 1000);
    const scores = videos.map((video) => video.score(8000, seconds * 1000, 500));
    const all = scores.reduce((sum, each) => sum + each.all, 0);
    const inTime = scores.reduce((sum, each) => sum + each.inTime, 0);
    return {
      inTime: inTime / all,
      queueMsMean: queueMs / samples,
      rateBps: node.uplink.rateBps,
      dropped: shared.dropped / shared.packets,
    };
  }

  test("learns from sixty small sessions together what it can carry", () => {
    const { inTime, queueMsMean, rateBps, dropped } = children(60, 2e6, 0, 20);
    expect(rateBps).toBeGreaterThan(1.5e6);
    expect(rateBps).toBeLessThan(2.3e6);
    expect(queueMsMean).toBeLessThan(60);
    expect(dropped).toBeLessThan(0.01);
    /* 2 of 3 Mbit/s fit. */
    expect(inTime).toBeGreaterThan(0.55);
  });

  test("is not limited by random loss, nor by sessions that ask for less than it has", () => {
    const { inTime, rateBps } = children(60, 4e6, 0.1, 20);
    expect(rateBps).toBe(0);
    expect(inTime).toBeGreaterThan(0.98);
  });
});
