import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CloseCode } from "./close-code.ts";
import {
  AnswerCode,
  decodeAnswer,
  decodeClock,
  decodeClose,
  decodeFeedback,
  decodePing,
  decodePong,
  decodeRequest,
  decodeToken,
  ENTRIES_MAX,
  encodeAnswer,
  encodeChallenge,
  encodeClock,
  encodeClose,
  encodeFeedback,
  encodePing,
  encodePong,
  encodeRequest,
  REASON_BYTES_MAX,
} from "./feedback.ts";
import { encodeIdHead, ID_BYTES, MAX_DATAGRAM, PacketType } from "./packet.ts";
import {
  bytesOf,
  closeCodes,
  datagramsLike,
  ranges,
  streamIndices,
  textOf,
  u16s,
  u32s,
} from "./testing/arbitraries.ts";

/** A datagram with this body behind its connection id, cut to what was written. */
function packet(type: number, body: (buf: Uint8Array, at: number) => number): Uint8Array {
  const buf = new Uint8Array(MAX_DATAGRAM).fill(0xee);
  return buf.slice(0, body(buf, encodeIdHead(buf, 0, type, 1, 2)));
}

const feedbackEntries = fc.array(
  fc.record({
    stream: streamIndices,
    playOutOffsetMs: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }).map((n) => n / 10),
    uncertaintyMs: u16s,
    next: u32s,
    bytesPerSecond: u32s,
  }),
  { minLength: 1, maxLength: ENTRIES_MAX },
);

const clockEntries = fc.array(
  fc.record({
    stream: streamIndices,
    captureOffsetMs: fc.double({ noNaN: true, noDefaultInfinity: true }),
    uncertaintyMs: u16s,
    frontier: u32s,
  }),
  { minLength: 1, maxLength: ENTRIES_MAX },
);

describe("round trips", () => {
  test("FEEDBACK", () => {
    fc.assert(
      fc.property(feedbackEntries, (entries) => {
        const data = packet(PacketType.FEEDBACK, (buf, at) => encodeFeedback(buf, at, entries));
        expect(decodeFeedback(data, ID_BYTES)).toEqual(entries);
      }),
    );
  });

  test("CLOCK", () => {
    fc.assert(
      fc.property(clockEntries, (entries) => {
        const data = packet(PacketType.CLOCK, (buf, at) => encodeClock(buf, at, entries));
        expect(decodeClock(data, ID_BYTES)).toEqual(entries);
      }),
    );
  });

  test("PING and PONG", () => {
    fc.assert(
      fc.property(u32s, u32s, u32s, u32s, (number, echoed, received, sent) => {
        const ping = packet(PacketType.PING, (buf, at) => encodePing(buf, at, number, echoed));
        expect(decodePing(ping, ID_BYTES)).toEqual({ number, clock: echoed });
        const pong = packet(PacketType.PONG, (buf, at) =>
          encodePong(buf, at, number, echoed, received, sent),
        );
        expect(decodePong(pong, ID_BYTES)).toEqual({ number, echoed, received, sent });
      }),
    );
  });

  test("REQUEST and ANSWER", () => {
    const codes = fc.constantFrom(...Object.values(AnswerCode));
    fc.assert(
      fc.property(
        streamIndices,
        fc.nat(7),
        ranges,
        codes,
        u16s,
        (stream, flags, r, code, retryMs) => {
          const request = { stream, flags, ranges: r };
          const asked = packet(PacketType.REQUEST, (buf, at) => encodeRequest(buf, at, request));
          expect(decodeRequest(asked, ID_BYTES)).toEqual(request);
          const answer = { stream, code, retryMs, ranges: r };
          const told = packet(PacketType.ANSWER, (buf, at) => encodeAnswer(buf, at, answer));
          expect(decodeAnswer(told, ID_BYTES)).toEqual(answer);
        },
      ),
    );
  });

  test("CHALLENGE and CLOSE", () => {
    fc.assert(
      fc.property(bytesOf(8), closeCodes, textOf(60), (token, code, reason) => {
        const challenge = packet(PacketType.CHALLENGE, (buf, at) =>
          encodeChallenge(buf, at, token),
        );
        expect(decodeToken(challenge, ID_BYTES)).toEqual(token);
        const close = packet(PacketType.CLOSE, (buf, at) => encodeClose(buf, at, code, reason));
        expect(decodeClose(close, ID_BYTES)).toEqual({ code, reason });
      }),
    );
  });
});

describe("values out of the wire's range", () => {
  test("are clamped, uncertainties upwards", () => {
    const entry = {
      stream: 1,
      playOutOffsetMs: -1e12,
      uncertaintyMs: 0.2,
      next: 0,
      bytesPerSecond: 1e12,
    };
    const data = packet(PacketType.FEEDBACK, (buf, at) => encodeFeedback(buf, at, [entry]));
    expect(decodeFeedback(data, ID_BYTES)).toEqual([
      { ...entry, playOutOffsetMs: -214_748_364.8, uncertaintyMs: 1, bytesPerSecond: 0xffff_ffff },
    ]);
    const unknown = { ...entry, captureOffsetMs: 1, uncertaintyMs: 1e9, frontier: 0 };
    const clock = packet(PacketType.CLOCK, (buf, at) => encodeClock(buf, at, [unknown]));
    expect(decodeClock(clock, ID_BYTES)?.[0]?.uncertaintyMs).toBe(65_535);
  });

  test("a reason is cut between characters and cleaned of controls", () => {
    const close = packet(PacketType.CLOSE, (buf, at) =>
      encodeClose(buf, at, CloseCode.overloaded, "ä".repeat(101)),
    );
    expect(close.length).toBe(ID_BYTES + 2 + REASON_BYTES_MAX);
    expect(decodeClose(close, ID_BYTES)?.reason).toBe("ä".repeat(100));
    const rude = packet(PacketType.CLOSE, (buf, at) => encodeClose(buf, at, 0, "a\n\u001b[2Jb"));
    expect(decodeClose(rude, ID_BYTES)?.reason).toBe("a  [2Jb");
  });
});

describe("refused", () => {
  test("a CLOCK whose offset is no number", () => {
    const entry = { stream: 1, captureOffsetMs: 1, uncertaintyMs: 1, frontier: 1 };
    const data = packet(PacketType.CLOCK, (buf, at) => encodeClock(buf, at, [entry]));
    data.set([0x7f, 0xf0, 0, 0, 0, 0, 0, 0], ID_BYTES + 2);
    expect(decodeClock(data, ID_BYTES)).toBeUndefined();
  });

  test("any packet one byte shorter or longer", () => {
    const whole: [Uint8Array, (data: Uint8Array, at: number) => unknown][] = [
      [packet(PacketType.PING, (b, at) => encodePing(b, at, 1, 2)), decodePing],
      [packet(PacketType.PONG, (b, at) => encodePong(b, at, 1, 2, 3, 4)), decodePong],
      [
        packet(PacketType.CHALLENGE, (b, at) => encodeChallenge(b, at, new Uint8Array(8))),
        decodeToken,
      ],
      [
        packet(PacketType.REQUEST, (b, at) =>
          encodeRequest(b, at, { stream: 1, flags: 0, ranges: [{ first: 1, count: 1 }] }),
        ),
        decodeRequest,
      ],
    ];
    for (const [data, decode] of whole) {
      expect(decode(data, ID_BYTES)).toBeDefined();
      expect(decode(data.subarray(0, -1), ID_BYTES)).toBeUndefined();
      expect(decode(Uint8Array.of(...data, 0), ID_BYTES)).toBeUndefined();
    }
  });
});

test("any bytes are judged, not thrown at, and nothing is read beyond them", () => {
  const decoders = {
    [PacketType.FEEDBACK]: decodeFeedback,
    [PacketType.CLOCK]: decodeClock,
    [PacketType.PING]: decodePing,
    [PacketType.PONG]: decodePong,
    [PacketType.REQUEST]: decodeRequest,
    [PacketType.ANSWER]: decodeAnswer,
    [PacketType.CHALLENGE]: decodeToken,
    [PacketType.CLOSE]: decodeClose,
  };
  for (const [type, decode] of Object.entries(decoders)) {
    fc.assert(
      fc.property(datagramsLike(Number(type)), fc.nat(20), (data, at) => {
        /* The same bytes inside a larger buffer must give the same: nothing behind the end counts. */
        const within = new Uint8Array(data.length + 64).fill(0xff);
        within.set(data, 32);
        const view = within.subarray(32, 32 + data.length);
        expect(decode(view, at)).toEqual(decode(data, at));
      }),
    );
  }
});
