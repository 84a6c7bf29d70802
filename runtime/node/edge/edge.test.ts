import { describe, expect, test } from "bun:test";
import { IDEAL } from "../../sim/network/link.ts";
import { PRESETS } from "../../sim/network/presets.ts";
import { createStreamWorld, STREAM, type StreamWorld } from "../../sim/stream-world.ts";
import { addressKey } from "../../wire/address.ts";

const KEY = "a stream key";

function running(options: { viewers?: number; maxViewers?: number } = {}): StreamWorld {
  const stream = createStreamWorld({ seed: 1, link: "lan", viewers: 1, ...options });
  stream.world.run(1000);
  stream.publish();
  stream.world.run(3000);
  return stream;
}

function pass(stream: StreamWorld, forMs: number): void {
  stream.world.run(stream.world.nowMs + forMs);
}

function eventsOf(stream: StreamWorld, type: string): unknown[] {
  return stream.edgeEvents.filter((event) => event.type === type);
}

function statsOf(stream: StreamWorld) {
  return stream.edge.command((edge, now) => ({
    ...edge.stats(now),
    stream: edge.streams(now)[0],
    links: edge.viewers(now, STREAM, 10),
  }));
}

describe("an edge and its publishers", () => {
  test("admits a second one once the first has been silent for a second", () => {
    const stream = running();
    const second = stream.addPublisher(KEY);
    pass(stream, 900);
    expect(eventsOf(stream, "refused")).toMatchObject([{ reason: "stream busy" }]);
    stream.publisher.host.up.configure({ ...IDEAL, loss: { kind: "iid", rate: 1 } });
    stream.pause();
    pass(stream, 2500);
    const node = second.command((one, now) => one.stats(now));
    expect(node.link).not.toBeNull();
    expect(eventsOf(stream, "streamEnded")).toMatchObject([{ reason: "done" }]);
  });

  test("drops one that is kicked, and says why", () => {
    const stream = running();
    stream.pause();
    expect(stream.edge.command((edge, now) => edge.kick(now, STREAM))).toBe(true);
    expect(stream.edge.command((edge, now) => edge.kick(now, "live/none"))).toBe(false);
    pass(stream, 50);
    expect(stream.publisherEvents.at(-1)).toMatchObject({
      type: "disconnected",
      reason: "not wanted",
    });
    expect(eventsOf(stream, "streamEnded")).toMatchObject([{ reason: "not wanted" }]);
  });

  test("ends a stream whose publisher stays away for ten seconds", () => {
    const stream = running();
    stream.publisher.host.up.configure({ ...IDEAL, loss: { kind: "iid", rate: 1 } });
    stream.pause();
    pass(stream, 12_000);
    expect(eventsOf(stream, "streamEnded")).toEqual([]);
    pass(stream, 2000);
    expect(eventsOf(stream, "streamEnded")).toMatchObject([{ reason: "timeout" }]);
    expect(statsOf(stream).stream).toBeUndefined();
  });
});

describe("an edge and its viewers", () => {
  test("drops one by its address", () => {
    const stream = running({ viewers: 2 });
    const address = addressKey(stream.peers[0]?.host.address ?? stream.edge.host.address);
    expect(stream.edge.command((edge, now) => edge.kick(now, STREAM, address))).toBe(true);
    expect(stream.edge.command((edge, now) => edge.kick(now, STREAM, "10.9.9.9:1"))).toBe(false);
    expect(eventsOf(stream, "viewerLeft")).toMatchObject([{ from: address, reason: "not wanted" }]);
    expect(statsOf(stream).viewers).toBe(1);
  });

  test("takes as many as it may, and one more when one has left", () => {
    const stream = running({ viewers: 2, maxViewers: 2 });
    const third = stream.addPeer();
    pass(stream, 500);
    expect(eventsOf(stream, "refused")).toMatchObject([{ reason: "overloaded" }]);
    stream.peers[0]?.stop((peer, now) => peer.close(now), false);
    pass(stream, 5000);
    expect(statsOf(stream).viewers).toBe(2);
    expect(stream.log(third).played.length).toBeGreaterThan(0);
  });

  test("draining, it keeps those it has and refuses the rest", () => {
    const stream = running();
    stream.edge.command((edge, now) => edge.drain(now));
    const late = stream.addPeer();
    pass(stream, 3000);
    expect(stream.log(late).events[0]).toMatchObject({ type: "refused", reason: "shutting down" });
    const [first] = stream.peers;
    const before = first === undefined ? 0 : stream.log(first).played.length;
    pass(stream, 1000);
    expect(first === undefined ? 0 : stream.log(first).played.length).toBeGreaterThan(before + 50);
  });

  test("a viewer that lost its session plays the same epoch on", () => {
    const stream = running();
    const [peer] = stream.peers;
    if (peer === undefined) throw new Error("no viewer");
    peer.host.up.configure({ ...IDEAL, loss: { kind: "iid", rate: 1 } });
    peer.host.down.configure({ ...IDEAL, loss: { kind: "iid", rate: 1 } });
    pass(stream, 4500);
    peer.host.up.configure(PRESETS.lan.up);
    peer.host.down.configure(PRESETS.lan.down);
    pass(stream, 5000);
    const { played, events } = stream.log(peer);
    expect(new Set(played.map(({ epoch }) => epoch)).size).toBe(1);
    expect(played.at(-1)?.atMs).toBeGreaterThan(stream.world.nowMs - 100);
    expect(events.filter(({ type }) => type === "epoch").length).toBe(1);
  });

  test("is asked to say goodbye, and does so to everybody", () => {
    const stream = running({ viewers: 3 });
    stream.pause();
    stream.edge.command((edge, now) => edge.close(now));
    pass(stream, 50);
    for (const peer of stream.peers) {
      expect(stream.log(peer).events.at(-1)).toMatchObject({ reason: "shutting down" });
    }
    expect(statsOf(stream)).toMatchObject({ sessions: 0, publishers: 0 });
  });
});

describe("an edge's figures", () => {
  test("agree with what happened", () => {
    const stream = running({ viewers: 2 });
    pass(stream, 7000);
    const stats = statsOf(stream);
    expect(stats).toMatchObject({ sessions: 3, viewers: 2, publishers: 1, datagramsRefused: 0 });
    expect(stats.stream).toMatchObject({ name: STREAM, viewers: 2, framesDropped: 0 });
    const bytes = stream.published.reduce((sum, { frame }) => sum + frame.body.length, 0);
    const frames = stream.published.length;
    expect(stats.stream?.framesIn).toBeWithin(
      frames,
      frames + 20,
    ); /* and configurations, repeated */
    expect(stats.stream?.bytesIn).toBeWithin(bytes, bytes * 1.2);
    expect(stats.stream?.bytesOut).toBeWithin(bytes * 2, bytes * 2.6);
    expect(stats.links.map(({ lossRate }) => lossRate)).toEqual([0, 0]);
    for (const { rttMs } of stats.links) expect(rttMs).toBeLessThan(5);
    expect(stats.bytesOut).toBeGreaterThan(stats.bytesIn);
  });

  test("what it keeps stays bounded while it runs", () => {
    const stream = running();
    pass(stream, 15_000);
    const early = statsOf(stream).payloadBytesUsed;
    pass(stream, 30_000);
    expect(statsOf(stream).payloadBytesUsed).toBeLessThan(early * 1.5);
  });
});
