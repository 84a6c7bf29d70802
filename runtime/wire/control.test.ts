import { describe, expect, test } from "bun:test";
import { Encoder } from "cbor-x/index-no-eval";
import fc from "fast-check";
import { ProtocolViolation } from "../base/errors.ts";
import {
  CONTROL_MESSAGE_BYTES_MAX,
  CONTROL_UNREAD_BYTES_MAX,
  type ControlMessage,
  ControlReader,
  decodeControl,
  encodeControl,
} from "./control.ts";
import { controlMessages } from "./testing/arbitraries.ts";

const cbor = new Encoder({ useRecords: false, tagUint8Array: false });

function framed(body: Uint8Array): Uint8Array {
  return Uint8Array.of(body.length >>> 8, body.length & 0xff, ...body);
}

/** What the reader makes of `bytes`: messages, or "violation". Anything else it throws fails the test. */
function readAll(reader: ControlReader, bytes: Uint8Array): ControlMessage[] | "violation" {
  try {
    return reader.push(bytes);
  } catch (error) {
    if (error instanceof ProtocolViolation) return "violation";
    throw error;
  }
}

describe("control stream", () => {
  test("gives the messages back whole, however it is cut", () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(fc.array(controlMessages, { maxLength: 5 }), cuts, (messages, lengths) => {
        const bytes = Uint8Array.from(messages.flatMap((message) => [...encodeControl(message)]));
        const reader = new ControlReader();
        const seen: ControlMessage[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const length = lengths[i % lengths.length] as number;
          seen.push(...reader.push(bytes.slice(at, at + length)));
          at += length;
        }
        expect(seen).toEqual(messages);
        expect(reader.unreadBytes).toBe(0);
      }),
    );
  });

  test("keeps its own copy of what it waits with", () => {
    const bytes = encodeControl({ t: "unsubscribe", name: "live/a" });
    const reader = new ControlReader();
    const piece = bytes.slice(0, 5);
    expect(reader.push(piece)).toEqual([]);
    piece.fill(0xff);
    expect(reader.push(bytes.subarray(5))).toEqual([{ t: "unsubscribe", name: "live/a" }]);
  });

  test("skips messages it does not know and fields it does not know", () => {
    const reader = new ControlReader();
    const unknown = framed(cbor.encode({ t: "later", x: 1 }));
    const inherited = framed(cbor.encode({ t: "constructor" }));
    const more = framed(cbor.encode({ t: "unsubscribe", name: "live/a", extra: [1, 2] }));
    expect(reader.push(Uint8Array.of(...unknown, ...inherited, ...more))).toEqual([
      { t: "unsubscribe", name: "live/a" },
    ]);
  });

  test("stops at the first violation", () => {
    const bad: unknown[] = [
      { t: "ended", index: 0, next: 1 },
      { t: "ended", index: 1, next: -1 },
      { t: "ended", index: 1, next: 1.5 },
      { t: "ended", index: "1", next: 1 },
      { t: "ended", index: 1 },
      { t: "subscribe", name: "live/a", mask: 4, k: 2 },
      { t: "subscribe", name: "live/a", mask: 0, k: 33 },
      { t: "unsubscribe", name: "x".repeat(129) },
      { t: 5 },
      { name: "live/a" },
      [1],
      "unsubscribe",
      { t: "stream", index: 1, name: "a", id: new Uint8Array(7), epoch: 0, first: 0, next: 0 },
    ];
    for (const value of bad) {
      expect(readAll(new ControlReader(), framed(cbor.encode(value)))).toBe("violation");
    }
    expect(readAll(new ControlReader(), framed(new Uint8Array(0)))).toBe("violation");
  });

  test("is bounded: one message, and all that waits", () => {
    const length = CONTROL_MESSAGE_BYTES_MAX + 1;
    expect(readAll(new ControlReader(), Uint8Array.of(length >>> 8, length & 0xff))).toBe(
      "violation",
    );
    const flood = new Uint8Array(CONTROL_UNREAD_BYTES_MAX + 1);
    expect(readAll(new ControlReader(), flood)).toBe("violation");
  });

  test("cleans text for people of control characters", () => {
    const bytes = encodeControl({ t: "warn", code: "gop", text: "a\r\n\u001b]0;b" });
    expect(decodeControl(bytes.subarray(2))).toEqual({ t: "warn", code: "gop", text: "a   ]0;b" });
  });

  test("any bytes give messages or a violation", () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 6 });
    fc.assert(
      fc.property(pieces, (all) => {
        const reader = new ControlReader();
        for (const piece of all) if (readAll(reader, piece) === "violation") return;
        expect(reader.unreadBytes).toBeLessThanOrEqual(CONTROL_UNREAD_BYTES_MAX);
      }),
    );
    fc.assert(
      fc.property(controlMessages, fc.nat(), fc.nat(255), (message, where, value) => {
        const bytes = encodeControl(message);
        bytes[where % bytes.length] = value;
        readAll(new ControlReader(), bytes);
      }),
    );
  });
});
