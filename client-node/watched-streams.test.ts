import { expect, test } from "bun:test";
import {
  IDLE_MS_MAX,
  OTHER_STREAMS_MAX,
  type WatchedStream,
  WatchedStreams,
} from "./watched-streams.ts";

class FakeStream implements WatchedStream {
  readonly name: string;
  readerCount = 0;
  closed = false;
  constructor(name: string) {
    this.name = name;
  }
  stats(): object {
    return {};
  }
  async openReader() {
    return { refused: "shutting down" } as const;
  }
  close(): void {
    this.closed = true;
  }
}

function setUp() {
  let now = 0;
  const started: FakeStream[] = [];
  const streams = new WatchedStreams({
    defaultStream: "live/main",
    start(name) {
      const stream = new FakeStream(name);
      started.push(stream);
      return stream;
    },
    liveNames: async () => [],
    nowMs: () => now,
  });
  return {
    streams,
    started,
    wait: (spanMs: number) => {
      now += spanMs;
      streams.handleTimeout();
    },
  };
}

test("watches its own stream from the start and others when asked for, each once", () => {
  const { streams, started } = setUp();
  expect(started.map((stream) => stream.name)).toEqual(["live/main"]);
  expect(streams.find("live/a")).toBeUndefined();
  const a = streams.acquire("live/a");
  expect(streams.acquire("live/a")).toBe(a);
  expect(streams.find("live/a")).toBe(a);
  expect(streams.acquire("live/main")?.name).toBe("live/main");
  expect(started.length).toBe(2);
});

test("drops a stream that nobody has read for a while, but never its own", () => {
  const { streams, started, wait } = setUp();
  streams.acquire("live/a");
  const [main, a] = started as [FakeStream, FakeStream];
  a.readerCount = 1;
  wait(2 * IDLE_MS_MAX);
  expect(a.closed).toBe(false);
  a.readerCount = 0;
  wait(IDLE_MS_MAX);
  expect(a.closed).toBe(false);
  wait(1);
  expect(a.closed).toBe(true);
  expect(main.closed).toBe(false);
});

test("makes room by dropping what was used longest ago; refuses when all are read", () => {
  const { streams, started, wait } = setUp();
  for (let i = 0; i < OTHER_STREAMS_MAX; i++) {
    streams.acquire(`live/${i}`);
    wait(1);
  }
  expect(streams.acquire("live/more")?.name).toBe("live/more");
  expect(started[1]?.closed).toBe(true);
  for (const stream of started) stream.readerCount = 1;
  expect(streams.acquire("live/yet-more")).toBeUndefined();
});

test("closes everything at the end", () => {
  const { streams, started } = setUp();
  streams.acquire("live/a");
  streams.close();
  expect(started.every((stream) => stream.closed)).toBe(true);
});
