import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Prng } from "../base/prng.ts";
import type { PeerEvent } from "../node/api.ts";
import type { Peer } from "../node/peer/peer.ts";
import { FrameKind } from "../wire/frame.ts";
import { IDEAL, type LinkModel } from "./network/link.ts";
import type { AccessModel } from "./network/presets.ts";
import {
  createStreamWorld,
  isRepeated,
  type PlayedFrame,
  type StreamWorld,
  type StreamWorldOptions,
  type ViewerLog,
} from "./stream-world.ts";
import type { WorldNode } from "./world.ts";

/* Seconds of virtual time take a fraction of that, but not on a machine with much else to do. */
setDefaultTimeout(60_000);

/** Until the nodes have met, before anything is published. */
const MEET_MS = 500;
/** After the last frame, for the play buffers to run empty. */
const DRAIN_MS = 3000;

/** Publishes for `seconds` and lets the play buffers run empty. */
function live(options: Partial<StreamWorldOptions>, seconds: number): StreamWorld {
  const stream = createStreamWorld({ seed: 1, link: "lossy", viewers: 1, ...options });
  stream.world.run(MEET_MS);
  stream.publish();
  stream.world.run(MEET_MS + seconds * 1000);
  finish(stream);
  return stream;
}

function finish(stream: StreamWorld): void {
  stream.pause();
  stream.world.run(stream.world.nowMs + DRAIN_MS);
}

function both(link: Partial<LinkModel>): AccessModel {
  return { up: { ...IDEAL, ...link }, down: { ...IDEAL, ...link } };
}

function logOf(stream: StreamWorld, viewer = 0): ViewerLog {
  return stream.log(stream.peers[viewer] as WorldNode<Peer>);
}

/** Frames a viewer has played, without the configurations that come with every group. */
function framesOf(played: readonly PlayedFrame[]): string[] {
  return played.filter(({ kind }) => !isRepeated(kind)).map(({ digest }) => digest);
}

function publishedOf(stream: StreamWorld, run = 0): string[] {
  return stream.published
    .filter((one) => one.run === run && !isRepeated(one.frame.kind))
    .map(({ digest }) => digest);
}

/**
 * Every published frame of a run from the first one the viewer has on: the same bytes, in order,
 * none missing.
 */
function expectAll(stream: StreamWorld, played: readonly PlayedFrame[], run = 0): void {
  const got = framesOf(played);
  const all = publishedOf(stream, run);
  const from = all.indexOf(got[0] ?? "");
  expect(from).toBeGreaterThanOrEqual(0);
  expect(got).toEqual(all.slice(from));
  expect(played.some(({ damaged }) => damaged)).toBe(false);
}

/** In order and true, though some may be missing. Returns the share that came. */
function expectSound(stream: StreamWorld, played: readonly PlayedFrame[], run = 0): number {
  const places = new Map(publishedOf(stream, run).map((digest, i) => [digest, i]));
  const got = framesOf(played).map((digest) => places.get(digest) ?? Number.NaN);
  expect(got.some(Number.isNaN)).toBe(false);
  for (let i = 1; i < got.length; i++) {
    if ((got[i] as number) <= (got[i - 1] as number))
      throw new Error(`frame ${got[i]} after ${got[i - 1]}`);
  }
  return got.length / (places.size - (got[0] ?? 0));
}

/** Capture to play-out by the world's clock, ms, of frames that were played live. */
function delaysOf(stream: StreamWorld, played: readonly PlayedFrame[]): number[] {
  const at = new Map(stream.published.map(({ digest, atMs }) => [digest, atMs]));
  return played
    .filter(({ decodeOnly, kind }) => !decodeOnly && !isRepeated(kind))
    .map(({ digest, atMs }) => atMs - (at.get(digest) ?? Number.NaN));
}

function typesOf(events: readonly PeerEvent[]): string[] {
  return events.map(({ type }) => type);
}

describe.each(["wasm", "twin"] as const)("a stream in virtual time (%s)", (hotKind) => {
  test("arrives whole, in order, with its configurations first, within its delay", () => {
    const stream = live({ hotKind, link: "lan", viewers: 3 }, 10);
    for (let i = 0; i < 3; i++) {
      const { played, skipped } = logOf(stream, i);
      expect(framesOf(played)).toEqual(publishedOf(stream));
      expect(skipped).toBe(0);
      expect(played.slice(0, 2).map(({ kind }) => kind)).toContain(FrameKind.videoConfig);
      expect(Math.max(...delaysOf(stream, played))).toBeLessThan(1000);
    }
  });

  test("loses nothing at 5 % loss both ways and 100 ms with a second to spare", () => {
    for (const seed of [1, 2, 3]) {
      const peer = { targetMs: 1000, targetMsMin: 1000 };
      const stream = live({ hotKind, seed, link: "lossy", budgetMs: 1000, peer }, 20);
      expectAll(stream, logOf(stream).played);
      expect(logOf(stream).skipped).toBe(0);
      const delays = delaysOf(stream, logOf(stream).played);
      expect(Math.max(...delays)).toBeLessThan(1100);
      expect(delays.length).toBeGreaterThan(1300);
    }
  });

  test("is the same to the byte for the same seed", () => {
    const [one, same, other] = [4, 4, 5].map((seed) => {
      const stream = live({ hotKind, seed, link: "wifi", viewers: 2, isTraced: true }, 4);
      return { hash: stream.world.network.traceHash, played: logOf(stream).played };
    });
    expect(one).toEqual(same);
    expect(one?.hash).not.toBe(other?.hash);
  });

  test("leaves no payload behind when all have gone", () => {
    const stream = live({ hotKind, viewers: 3 }, 6);
    const all = [...stream.peers, stream.publisher, stream.edge];
    for (const node of all) node.stop((one, now) => one.close(now), false);
    stream.world.run(stream.world.nowMs + 1000);
    expect(stream.world.network.packetsInFlight).toBe(0);
    expect(stream.hot.payloadBytesUsed()).toBe(0);
  });
});

describe("in bad weather", () => {
  test("20 % loss both ways: the stream goes on, in order", () => {
    const peer = { targetMs: 1200, targetMsMax: 1500 };
    const stream = live({ link: "terrible", peer, budgetMs: 1500 }, 30);
    const { played } = logOf(stream);
    expect(expectSound(stream, played)).toBeGreaterThan(0.99);
    expect(Math.max(...delaysOf(stream, played))).toBeLessThan(2000);
  });

  test("a 2 s outage costs what it must, and afterwards all is well", () => {
    const outages = [{ fromMs: 8000, untilMs: 10_000 }];
    const link = both({ delayMs: 20, outages });
    const stream = live({ link, publisherLink: "lan", viewers: 1 }, 20);
    const { played } = logOf(stream);
    expectSound(stream, played);
    const after = stream.published.filter(({ atMs }) => atMs > 12_500).map(({ digest }) => digest);
    const got = new Set(framesOf(played));
    const missing = after.filter((digest) => !got.has(digest));
    expect(missing.length).toBeLessThanOrEqual(2); /* configurations are not counted in `got` */
    const late = delaysOf(
      stream,
      played.filter(({ atMs }) => atMs > 14_000),
    );
    expect(Math.max(...late)).toBeLessThan(2000);
  });

  test("an outage of the publisher is no end of the stream", () => {
    const outages = [{ fromMs: 8000, untilMs: 10_000 }];
    const stream = live({ link: "lan", publisherLink: both({ delayMs: 20, outages }) }, 20);
    const { played } = logOf(stream);
    expectSound(stream, played);
    const late = played.filter(({ atMs }) => atMs > 14_000);
    expect(late.length).toBeGreaterThan(350);
    expect(late.some(({ damaged }) => damaged)).toBe(false);
  });

  test("reordered and doubled datagrams change nothing", () => {
    const link = both({
      delayMs: 30,
      jitterMs: 5,
      reorderRate: 0.1,
      reorderMs: 60,
      duplicateRate: 0.1,
    });
    const stream = live({ link }, 15);
    expectAll(stream, logOf(stream).played);
  });

  test("damaged and cut datagrams spoil no more than the frames they belong to", () => {
    /*
     * A real network's UDP checksum stops all but one in 65,536 of these; nothing else looks into
     * bodies so far.
     */
    const link = both({ delayMs: 20, corruptRate: 0.02 });
    const stream = live({ link }, 15);
    const { played, events } = logOf(stream);
    const places = new Set(publishedOf(stream));
    const strange = framesOf(played).filter((digest) => !places.has(digest));
    expect(strange.length / played.length).toBeLessThan(0.05);
    expect(played.length).toBeGreaterThan(500);
    expect(typesOf(events)).toContain("connected");
  });

  test("a flood of random datagrams harms nobody", () => {
    const stream = createStreamWorld({ seed: 3, link: "lan", viewers: 2 });
    const { world } = stream;
    const random = new Prng(99);
    const targets = [stream.edge, stream.publisher, ...stream.peers];
    for (let i = 0; i < 6000; i++) {
      const target = targets[i % targets.length] as WorldNode;
      const bytes = new Uint8Array(1 + random.below(1200));
      random.fill(bytes);
      if (random.next() < 0.5) bytes[0] = random.below(0x20);
      const isForged = random.next() < 0.5;
      const ip = `203.0.113.${random.below(250)}`;
      const from = isForged
        ? stream.edge.host.address
        : ({ family: 4, ip, port: 1 + random.below(9999) } as const);
      world.at(1000 + i, () => world.network.inject(world.nowMs, from, target.host, bytes));
    }
    world.run(MEET_MS);
    stream.publish();
    world.run(8000);
    finish(stream);
    for (let i = 0; i < 2; i++)
      expect(framesOf(logOf(stream, i).played)).toEqual(publishedOf(stream));
  });

  test("bits flipped in a session's own datagrams throw nothing anywhere", () => {
    for (const seed of [1, 2, 3, 4]) {
      const stream = live({ seed, link: both({ delayMs: 10, corruptRate: 0.3 }) }, 4);
      expect(stream.world.nowMs).toBeGreaterThan(4000);
    }
  });
});

describe("coming and going", () => {
  test("a late joiner starts from a group already running, at once, decoding what it must", () => {
    const stream = createStreamWorld({ seed: 2, link: "lan", viewers: 1 });
    stream.world.run(MEET_MS);
    stream.publish();
    stream.world.run(7_700);
    const late = stream.addPeer();
    stream.world.run(15_000);
    finish(stream);
    const { played } = stream.log(late);
    expectAll(stream, played);
    const first = played.findIndex(({ kind }) => kind === FrameKind.key);
    expect(played.slice(0, first).every(({ kind }) => isRepeated(kind))).toBe(true);
    expect((played[first] as PlayedFrame).atMs - 7700).toBeLessThan(500);
    expect(played[first]?.decodeOnly).toBe(true);
    expect(Math.max(...delaysOf(stream, played))).toBeLessThan(1000);
    expectAll(stream, logOf(stream).played);
  });

  test("200 joins at once are all served, and the one who was there does not notice", () => {
    const stream = createStreamWorld({ seed: 2, link: "lan", viewers: 1, memoryMiB: 512 });
    stream.world.run(MEET_MS);
    stream.publish();
    stream.world.run(5000);
    for (let i = 0; i < 200; i++) stream.addPeer();
    stream.world.run(7500);
    finish(stream);
    expectAll(stream, logOf(stream).played);
    expect(logOf(stream).skipped).toBe(0);
    for (let i = 1; i <= 200; i++) expectAll(stream, logOf(stream, i).played);
    expect(stream.edge.node?.stats(stream.edge.clock.local(stream.world.nowMs)).viewers).toBe(201);
  });

  test("an encoder that starts over begins a new epoch and viewers go on", () => {
    const stream = createStreamWorld({ seed: 2, link: "lossy", viewers: 2 });
    stream.world.run(MEET_MS);
    stream.publish();
    stream.world.run(6000);
    stream.startOver();
    stream.publisher.command((publisher, now) => publisher.newEpoch(now));
    stream.world.run(12_000);
    finish(stream);
    for (let i = 0; i < 2; i++) {
      const { played, events } = logOf(stream, i);
      const epochs = [...new Set(played.map(({ epoch }) => epoch))];
      expect(epochs.length).toBe(2);
      const [first, second] = epochs.map((epoch) => played.filter((one) => one.epoch === epoch));
      expectSound(stream, first ?? []);
      expectAll(stream, second ?? [], 1);
      expect(framesOf(second ?? [])[0]).toBe(publishedOf(stream, 1)[0] as string);
      expect(typesOf(events).filter((type) => type === "epoch").length).toBe(2);
    }
  });

  test("a publisher that crashes and comes back takes its stream up again", () => {
    const stream = createStreamWorld({ seed: 2, link: "lan", viewers: 1 });
    stream.world.run(MEET_MS);
    stream.publish();
    stream.world.run(6000);
    stream.pause();
    stream.publisher.stop((publisher, now) => publisher.close(now), true);
    stream.world.run(8000);
    stream.publisher.restart();
    stream.startOver();
    stream.publish();
    stream.world.run(20_000);
    finish(stream);
    const { played } = logOf(stream);
    const epochs = [...new Set(played.map(({ epoch }) => epoch))];
    expect(epochs.length).toBe(2);
    const second = played.filter(({ epoch }) => epoch === epochs[1]);
    expectAll(stream, second, 1);
    expect((second[0] as PlayedFrame).atMs).toBeLessThan(16_000);
  });

  test("an edge that crashes and comes back is found again by all", () => {
    const stream = createStreamWorld({ seed: 2, link: "lan", viewers: 2 });
    stream.world.run(MEET_MS);
    stream.publish();
    stream.world.run(6000);
    stream.edge.stop((edge, now) => edge.close(now), true);
    stream.world.run(7000);
    stream.edge.restart();
    stream.world.run(20_000);
    finish(stream);
    for (let i = 0; i < 2; i++) {
      const { played } = logOf(stream, i);
      expectSound(stream, played);
      const late = played.filter(({ atMs }) => atMs > 13_000);
      expect(late.length).toBeGreaterThan(450);
      expect(late.some(({ damaged }) => damaged)).toBe(false);
    }
  });

  test("an edge that says goodbye and comes back is found again faster than by silence", () => {
    const stream = createStreamWorld({ seed: 2, link: "lan", viewers: 1 });
    stream.world.run(MEET_MS);
    stream.publish();
    stream.world.run(6000);
    stream.edge.stop((edge, now) => edge.close(now), false);
    stream.world.run(6200);
    stream.edge.restart();
    stream.world.run(14_000);
    finish(stream);
    const { played } = logOf(stream);
    expectSound(stream, played);
    const gaps = played.slice(1).map((frame, i) => frame.atMs - (played[i] as PlayedFrame).atMs);
    expect(Math.max(...gaps)).toBeLessThan(2500);
  });

  test("viewers who leave, with or without a word, do not disturb the others", () => {
    const stream = createStreamWorld({ seed: 2, link: "lossy", viewers: 6 });
    stream.world.run(MEET_MS);
    stream.publish();
    stream.world.run(5000);
    for (let i = 0; i < 4; i++) stream.peers[i]?.stop((peer, now) => peer.close(now), i % 2 === 0);
    stream.world.run(14_000);
    finish(stream);
    for (const i of [4, 5]) expectAll(stream, logOf(stream, i).played);
    expect(stream.edge.node?.stats(stream.edge.clock.local(stream.world.nowMs)).viewers).toBe(2);
  });
});

describe("who may not", () => {
  test("a second publisher is refused with a reason and the first goes on", () => {
    const stream = createStreamWorld({ seed: 2, link: "lan", viewers: 1 });
    stream.world.run(MEET_MS);
    stream.publish();
    stream.world.run(2000);
    stream.addPublisher("a stream key");
    stream.world.run(8000);
    finish(stream);
    expect(framesOf(logOf(stream).played)).toEqual(publishedOf(stream));
    const refusals = stream.edgeEvents.filter((event) => event.type === "refused");
    expect(refusals[0]).toMatchObject({ type: "refused", reason: "stream busy" });
  });

  test("a wrong key is refused for good", () => {
    const stream = createStreamWorld({ seed: 2, link: "lan", viewers: 1 });
    const impostor = stream.addPublisher("another key");
    stream.world.run(MEET_MS);
    stream.publish();
    stream.world.run(6000);
    finish(stream);
    expect(framesOf(logOf(stream).played)).toEqual(publishedOf(stream));
    const refusals = stream.edgeEvents.filter((event) => event.type === "refused");
    expect(refusals).toMatchObject([{ reason: "wrong key" }]); /* asked once */
    expect(impostor.host.up.counters.packetsOffered).toBeLessThan(5);
  });

  test("a viewer of an unknown stream, or of a full edge, is told so", () => {
    const stream = createStreamWorld({ seed: 2, link: "lan", viewers: 2, maxViewers: 2 });
    stream.world.run(MEET_MS);
    stream.publish();
    const lost = stream.addPeer({ stream: "live/nothing" });
    const third = stream.addPeer();
    stream.world.run(3000);
    finish(stream);
    const isUnknown = { type: "refused", reason: "unknown stream", final: true };
    const isFull = { type: "refused", reason: "overloaded", final: false };
    expect(stream.log(lost).events[0]).toMatchObject(isUnknown);
    expect(stream.log(third).events[0]).toMatchObject(isFull);
  });
});
