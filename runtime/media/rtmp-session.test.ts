import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  command,
  connectCommand,
  greeting,
  HANDSHAKE,
  message,
  publishCommand,
  setChunkSize,
} from "./rtmp-encoder.ts";
import { type RtmpEvent, RtmpSession } from "./rtmp-session.ts";

interface Run {
  readonly events: RtmpEvent[];
  readonly answers: string;
}

/** Plays the bytes into a session that accepts every publisher. */
function run(...pieces: readonly Uint8Array[]): Run {
  let answers = "";
  const session = new RtmpSession((bytes) => {
    answers += Buffer.from(bytes).toString("latin1");
  });
  const events: RtmpEvent[] = [];
  for (const piece of pieces) {
    for (const event of session.receive(piece)) {
      events.push(event);
      if (event.type === "publish") session.accept();
    }
  }
  return { events, answers };
}

function ending(...pieces: readonly Uint8Array[]): string | undefined {
  const last = run(...pieces).events.at(-1);
  return last?.type === "end" ? last.reason : undefined;
}

function requested(app: string, name: string): unknown {
  const event = run(greeting(name, app)).events[0];
  return event?.type === "publish" ? event.request : undefined;
}

const frame = Uint8Array.of(0x17, 1, 0, 0, 0, 9);

test("asks before it lets an encoder publish", () => {
  let answers = "";
  const session = new RtmpSession((bytes) => {
    answers += Buffer.from(bytes).toString("latin1");
  });
  const [event] = session.receive(greeting("cam?key=secret"));
  expect(event).toEqual({
    type: "publish",
    request: { app: "live", name: "cam", key: "secret", query: { key: "secret" } },
  });
  expect(answers).not.toContain("NetStream.Publish");
  session.refuse("wrong stream key");
  expect(answers).toContain("NetStream.Publish.BadName");
  expect(answers).toContain("wrong stream key");
  expect(session.receive(message(9, frame))).toEqual([]);
});

test("finds name and key wherever encoders put them", () => {
  const found = { app: "live", name: "cam", key: "a/b", query: { key: "a/b" } };
  expect(requested("live", "cam?key=a/b")).toEqual(found);
  expect(requested("live/cam?key=a", "b")).toEqual(found);
  expect(requested("live?key=a/b", "cam")).toEqual(found);
  expect(requested("live", "cam")).toEqual({ app: "live", name: "cam", query: {} });
});

test("gives every message's bytes however they are cut, with long timestamps", () => {
  const bodies = [100, 5_000, 70_000].map((size) => new Uint8Array(size).fill(size & 0xff));
  const stream = Buffer.concat([
    greeting("cam"),
    ...bodies.map((body, i) => message(9, body, 0x0100_0000 + i, 6, 4096)),
    message(15, Uint8Array.of(0, 2, 0, 1, 0x61), 5, 4, 4096),
  ]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: stream.length }), { maxLength: 60 }), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), stream.length];
      const pieces = at.slice(1).map((end, i) => stream.subarray(at[i], end));
      const { events, answers } = run(...pieces.filter((piece) => piece.length > 0));
      expect(answers).toContain("NetStream.Publish.Start");
      const tags = events.flatMap((event) => (event.type === "tag" ? [event.tag] : []));
      expect(tags.map((tag) => [tag.type, tag.dtsMs, tag.body.length])).toEqual([
        [9, 0x0100_0000, 100],
        [9, 0x0100_0001, 5_000],
        [9, 0x0100_0002, 70_000],
        [18, 5, 4],
      ]);
      for (const [i, body] of bodies.entries())
        expect(Buffer.compare(tags[i]?.body as Uint8Array, body)).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test("a hostile connect ends the session and nothing else", () => {
  expect(ending(HANDSHAKE, command("connect", 1, null))).toStartWith("no RTMP");
  expect(ending(HANDSHAKE, command("connect", 1, { app: "live", tcUrl: "not a url" }))).toStartWith(
    "no RTMP",
  );
  expect(ending(HANDSHAKE, command("publish", 1, null, "cam"))).toContain("before connect");
  expect(ending(HANDSHAKE, connectCommand("live"), command("publish", 1, null, 7))).toStartWith(
    "no RTMP",
  );
  const nested = Buffer.alloc(15_000, Buffer.of(10, 0, 0, 0, 1));
  expect(ending(HANDSHAKE, message(20, nested, 0, 3))).toStartWith("no RTMP");
});

test("bounds: messages, commands, chunk sizes, chunk streams, unfinished messages", () => {
  const giant = (length: number): Uint8Array => {
    const bytes = Buffer.from(message(9, new Uint8Array(1)));
    bytes.writeUIntBE(length, 4, 3);
    return bytes.subarray(0, 13);
  };
  expect(ending(HANDSHAKE, giant(20_000))).toContain("message of 20000 bytes");
  expect(ending(greeting("cam"), giant(0xffffff))).toContain("over 1048576");
  expect(ending(greeting("cam"), message(20, new Uint8Array(20_000), 0, 3, 4096))).toContain(
    "command of 20000",
  );
  expect(ending(HANDSHAKE, setChunkSize(0))).toContain("chunks of 0 bytes");
  const streams = Array.from({ length: 40 }, (_, i) => message(9, frame, 0, 5 + i));
  expect(ending(greeting("cam"), ...streams)).toContain("chunk streams");
  const unfinished = Array.from({ length: 6 }, (_, i) => {
    const bytes = Buffer.from(giant(1_000_000));
    bytes[0] = 5 + i;
    return Buffer.concat([bytes, new Uint8Array(4096)]);
  });
  expect(ending(greeting("cam"), ...unfinished)).toContain("unfinished messages");
});

test("publishing is the only thing it is for, and once", () => {
  expect(ending(HANDSHAKE, connectCommand("live"), command("play", 2, null, "cam"))).toContain(
    "asked to play",
  );
  expect(ending(greeting("cam"), publishCommand("other"))).toContain("published twice");
  expect(ending(HANDSHAKE, connectCommand("live"), message(9, frame))).toContain(
    "media before publishing",
  );
  expect(ending(greeting("cam"), setChunkSize(128), command("deleteStream", 4, null, 1))).toBe(
    "the encoder stopped",
  );
  const chatter = Array.from({ length: 2_000 }, () => command("createStream", 2, null));
  expect(ending(HANDSHAKE, ...chatter)).toContain("bytes before publishing");
});

test("acknowledges what it received to an encoder that names a window, and only to such", () => {
  const video = Array.from({ length: 60 }, (_, i) =>
    message(9, new Uint8Array(50_000).fill(0x17), i, 6, 4096),
  );
  const window = message(5, Uint8Array.of(0, 0x26, 0x25, 0xa0), 0, 2); /* 2,500,000 bytes */
  const acknowledgements = (...pieces: readonly Uint8Array[]): number =>
    run(...pieces).answers.split("\u0002\0\0\0\0\0\u0004\u0003").length - 1;
  expect(acknowledgements(greeting("cam"), window, ...video)).toBe(2);
  expect(acknowledgements(greeting("cam"), ...video)).toBe(0);
});

test("any bytes, before and after the greeting, give events and never an exception", () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 10 });
  const start = fc.constantFrom(new Uint8Array(0), HANDSHAKE, greeting("cam"));
  fc.assert(
    fc.property(start, pieces, (begin, rest) => {
      const { events } = run(begin, ...rest);
      expect(events.filter((event) => event.type === "end").length).toBeLessThan(2);
    }),
    { numRuns: 300 },
  );
});

test("greetings with flipped bytes are survived", () => {
  const whole = Buffer.concat([greeting("cam"), message(9, frame), message(8, frame, 3)]);
  const flips = fc.array(fc.tuple(fc.integer({ min: 3073, max: whole.length - 1 }), fc.nat(255)), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(flips, (changes) => {
      const bytes = Buffer.from(whole);
      for (const [at, value] of changes) bytes[at] = value;
      expect(run(bytes).events.length).toBeLessThan(10);
    }),
    { numRuns: 500 },
  );
});
