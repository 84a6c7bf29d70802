import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeIdHead, ID_BYTES, MAX_DATAGRAM, PacketType } from "./packet.ts";
import {
  checkTicket,
  decodeMap,
  decodePeerRef,
  decodeReport,
  decodeTrain,
  encodeMap,
  encodePeerRef,
  encodePunch,
  encodeReport,
  encodeTrain,
  MAP_BYTES_MAX,
  makeTicket,
  TICKET_BYTES,
} from "./swarm.ts";
import { bytesOf, datagramsLike, peerRefs, reports, u16s, u32s } from "./testing/arbitraries.ts";

function packet(type: number, body: (buf: Uint8Array, at: number) => number): Uint8Array {
  const buf = new Uint8Array(MAX_DATAGRAM).fill(0xee);
  return buf.slice(0, body(buf, encodeIdHead(buf, 0, type, 1, 2)));
}

describe("a peer as the edge names it", () => {
  test("comes back from its bytes, and from nothing shorter or longer", () => {
    fc.assert(
      fc.property(peerRefs, (peer) => {
        const bytes = encodePeerRef(peer);
        expect(decodePeerRef(bytes)).toEqual(peer);
        expect(decodePeerRef(Uint8Array.of(...bytes, 0))).toBeUndefined();
        expect(decodePeerRef(bytes.subarray(0, -1))).toBeUndefined();
      }),
    );
  });

  test("has one to four addresses", () => {
    const bytes = new Uint8Array(27);
    expect(decodePeerRef(bytes)).toBeUndefined();
    bytes[26] = 5;
    expect(decodePeerRef(Uint8Array.of(...bytes, ...new Uint8Array(95)))).toBeUndefined();
  });
});

describe("ticket", () => {
  const key = new Uint8Array(16).fill(3);
  const node = new Uint8Array(8).fill(4);

  test("lets in one node from one address, to whose key it was minted with", () => {
    const ticket = makeTicket(key, node, "192.0.2.1");
    expect(ticket.length).toBe(TICKET_BYTES);
    expect(checkTicket(key, node, "192.0.2.1", ticket)).toBe(true);
    expect(checkTicket(key, node, "192.0.2.2", ticket)).toBe(false);
    expect(checkTicket(key, new Uint8Array(8), "192.0.2.1", ticket)).toBe(false);
    expect(checkTicket(new Uint8Array(16), node, "192.0.2.1", ticket)).toBe(false);
  });

  test("any other bytes are none", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(checkTicket(key, node, "192.0.2.1", bytes)).toBe(false);
      }),
    );
  });
});

describe("MAP", () => {
  test("carries its bitmap and what is to spare, rounded down", () => {
    const maps = fc.uint8Array({ maxLength: MAP_BYTES_MAX });
    const spares = fc.integer({ min: -5, max: 40_000_000 });
    fc.assert(
      fc.property(maps, u32s, u16s, spares, (bits, base, run, spareBps) => {
        const data = packet(PacketType.MAP, (buf, at) =>
          encodeMap(buf, at, 7, base, run, spareBps, bits.length, (place) => buf.set(bits, place)),
        );
        const map = decodeMap(data, ID_BYTES);
        expect(map?.stream).toBe(7);
        expect([map?.base, map?.run]).toEqual([base, run]);
        expect(map?.bits).toEqual(bits);
        const spare = map?.spareBps ?? Number.NaN;
        expect(spare).toBeLessThanOrEqual(Math.max(0, spareBps));
        expect(spareBps - spare < 64_000 || spare === 255 * 64_000).toBe(true);
        expect(decodeMap(data.subarray(0, -1), ID_BYTES)).toBeUndefined();
      }),
    );
  });
});

describe("REPORT", () => {
  test("comes back as it was sent", () => {
    fc.assert(
      fc.property(reports, (report) => {
        const data = packet(PacketType.REPORT, (buf, at) => encodeReport(buf, at, report));
        expect(decodeReport(data, ID_BYTES)).toEqual(report);
        expect(decodeReport(data.subarray(0, -1), ID_BYTES)).toBeUndefined();
        expect(decodeReport(Uint8Array.of(...data, 0), ID_BYTES)).toBeUndefined();
      }),
    );
  });

  test("clamps what does not fit", () => {
    const report = {
      limitBps: 1e12,
      uploadBps: -5,
      pushBps: 1.6,
      queueMs: 1e9,
      cpu: 3,
      consumeOnly: false,
      metered: false,
      congested: false,
      load: -1,
      children: [300],
    };
    const data = packet(PacketType.REPORT, (buf, at) => encodeReport(buf, at, report));
    expect(decodeReport(data, ID_BYTES)).toEqual({
      ...report,
      limitBps: 0xffff_ffff,
      uploadBps: 0,
      pushBps: 2,
      queueMs: 65_535,
      cpu: 1,
      load: 0,
      children: [255],
    });
  });
});

test("PUNCH is its type and the sender's node id", () => {
  expect([...encodePunch(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))]).toEqual([
    PacketType.PUNCH,
    ...[1, 2, 3, 4, 5, 6, 7, 8],
  ]);
});

test("TRAIN fills a datagram, and nothing shorter is one", () => {
  const buf = new Uint8Array(MAX_DATAGRAM).fill(0xff);
  expect(encodeTrain(buf, ID_BYTES, 7)).toBe(MAX_DATAGRAM);
  expect(decodeTrain(buf, ID_BYTES)).toBe(7);
  expect(buf.subarray(ID_BYTES + 1).every((byte) => byte === 0)).toBe(true);
  expect(decodeTrain(buf.subarray(0, MAX_DATAGRAM - 1), ID_BYTES)).toBe(-1);
});

test("any bytes are judged, not thrown at, and nothing is read beyond them", () => {
  const decoders = { [PacketType.MAP]: decodeMap, [PacketType.REPORT]: decodeReport };
  for (const [type, decode] of Object.entries(decoders)) {
    fc.assert(
      fc.property(datagramsLike(Number(type)), fc.nat(20), (data, at) => {
        const within = new Uint8Array(data.length + 64).fill(0xff);
        within.set(data, 32);
        expect(decode(within.subarray(32, 32 + data.length), at)).toEqual(decode(data, at));
      }),
    );
  }
  fc.assert(
    fc.property(bytesOf(26), fc.uint8Array({ maxLength: 80 }), (head, rest) => {
      const peer = decodePeerRef(Uint8Array.of(...head, ...rest));
      if (peer !== undefined) expect(decodePeerRef(encodePeerRef(peer))).toEqual(peer);
    }),
  );
});
