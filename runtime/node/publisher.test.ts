import { describe, expect, test } from "bun:test";
import { PRESETS } from "../sim/network/presets.ts";
import { createStreamWorld, isRepeated, type StreamWorld } from "../sim/stream-world.ts";

/** A stream that has run for `seconds`, its viewer watching. */
function running(link: "lossy" | "lan", seconds: number, seed = 1): StreamWorld {
  const stream = createStreamWorld({ seed, link, viewers: 1 });
  stream.world.run(1000);
  stream.publish();
  stream.world.run(1000 + seconds * 1000);
  return stream;
}

function publishedOf(stream: StreamWorld): string[] {
  return stream.published
    .filter(({ frame }) => !isRepeated(frame.kind))
    .map(({ digest }) => digest);
}

function typesOf(stream: StreamWorld): string[] {
  return stream.publisherEvents.map(({ type }) => type);
}

describe("a publisher that is closed", () => {
  test("lingers until its last frames are at the edge, however lossy the way", () => {
    for (let seed = 1; seed <= 6; seed++) {
      const stream = running("lossy", 3, seed);
      let frames = 0;
      stream.edge.command((edge) => edge.watchFrames("live/test", true));
      stream.pause();
      const before = stream.edgeEvents.length;
      const last = stream.published.at(-1)?.frame;
      stream.publisher.command((publisher, now) => publisher.close(now));
      expect(stream.publisher.node?.isClosed).toBe(false);
      stream.world.run(stream.world.nowMs + 3000);
      for (const event of stream.edgeEvents.slice(before)) {
        if (event.type === "frame" && event.frame.dtsMs === last?.dtsMs) frames++;
      }
      expect(frames).toBeGreaterThan(0);
      expect(typesOf(stream).at(-1)).toBe("closed");
      const ended = stream.edgeEvents.filter(({ type }) => type === "streamEnded");
      expect(ended).toMatchObject([{ reason: "done" }]);
      expect(stream.publisher.node?.pollTimeout()).toBe(Number.POSITIVE_INFINITY as never);
    }
  });

  test("and the viewer plays to the very last frame", () => {
    for (let seed = 1; seed <= 4; seed++) {
      const stream = running("lossy", 3, seed);
      stream.pause();
      stream.publisher.command((publisher, now) => publisher.close(now));
      stream.world.run(stream.world.nowMs + 5000);
      const peer = stream.peers[0];
      const played = peer === undefined ? [] : stream.log(peer).played;
      const tail = publishedOf(stream).slice(-10);
      const seen = new Set(played.map(({ digest }) => digest));
      expect(tail.filter((digest) => !seen.has(digest))).toEqual([]);
    }
  });

  test("takes no more frames, and no longer than a second when nobody answers", () => {
    const stream = running("lan", 2);
    stream.pause();
    stream.edge.stop((edge, now) => edge.close(now), true);
    const accepted = () => stream.publisher.command((one, now) => one.stats(now).framesAccepted);
    const frame = stream.published.at(-1)?.frame;
    stream.publisher.command((publisher, now) => {
      if (frame !== undefined) publisher.push(now, frame);
      publisher.close(now);
    });
    const before = accepted();
    stream.publisher.command((publisher, now) => {
      if (frame !== undefined) publisher.push(now, frame);
    });
    expect(accepted()).toBe(before);
    stream.world.run(stream.world.nowMs + 990);
    expect(stream.publisher.node?.isClosed).toBe(false);
    stream.world.run(stream.world.nowMs + 20);
    expect(stream.publisher.node?.isClosed).toBe(true);
  });

  test("goes at once when it is closed again, or has pushed nothing", () => {
    const stream = running("lan", 2);
    stream.pause();
    stream.publisher.command((publisher, now) => {
      publisher.close(now);
      publisher.close(now);
      publisher.close(now);
    });
    expect(typesOf(stream).filter((type) => type === "closed").length).toBe(1);
    const idle = stream.addPublisher("a stream key");
    stream.world.run(stream.world.nowMs + 500);
    idle.command((publisher, now) => publisher.close(now));
    expect(idle.node?.isClosed).toBe(true);
  });
});

describe("a publisher", () => {
  test("that loses its session resumes its epoch, and viewers see no new run", () => {
    const stream = running("lan", 2);
    const { up } = stream.publisher.host;
    up.configure({ ...PRESETS.lan.up, loss: { kind: "iid", rate: 1 } });
    stream.world.run(stream.world.nowMs + 4500);
    up.configure(PRESETS.lan.up);
    stream.world.run(stream.world.nowMs + 4000);
    const starts = stream.edgeEvents.filter(({ type }) => type === "streamStarted");
    expect(starts.length).toBe(1);
    expect(typesOf(stream)).toEqual(["connected", "disconnected", "connected"]);
    const stats = stream.publisher.command((one, now) => one.stats(now));
    expect(stats.link).not.toBeNull();
    expect(stats.framesAccepted).toBe(stream.published.length);
  });

  test("that starts over is followed under a higher epoch", () => {
    const stream = running("lan", 2);
    const epoch = () => stream.publisher.command((one, now) => one.stats(now).epoch);
    const before = epoch();
    stream.publisher.command((one, now) => one.newEpoch(now));
    stream.startOver();
    stream.world.run(stream.world.nowMs + 3000);
    expect(epoch()).toBe(before + 1);
    const kinds = stream.edgeEvents.map(({ type }) => type);
    expect(kinds.filter((type) => type.startsWith("stream"))).toEqual([
      "streamStarted",
      "streamEnded",
      "streamStarted",
    ]);
  });
});
