import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  ackBodyBytes,
  BUNDLE_ITEM_BYTES,
  BUNDLE_ITEMS_MAX,
  bodyFits,
  cidHi,
  cidLo,
  decodeBundleItem,
  decodeFragmentHeader,
  encodeBundleItem,
  encodeControlHead,
  encodeDataHead,
  encodeFragmentHeader,
  encodeNumberedHead,
  FRAGMENT_BODY_BYTES,
  FRAGMENT_HEADER_BYTES,
  type FragmentHeader,
  forEachBundled,
  HEAD_BYTES,
  ID_BYTES,
  isConnected,
  MAX_DATAGRAM,
  NUMBERED_BYTES,
  PacketType,
  packetType,
  putU16,
  putU32,
  u16,
  u32,
} from "./packet.ts";
import { cids, datagramsLike, fragmentHeaders, u16s } from "./testing/arbitraries.ts";

const blank = (): FragmentHeader => ({ stream: 0, number: 0, index: 0, total: 0, flags: 0 });

/** A BUNDLE of bodies of these lengths, each its segment's only fragment. */
function bundleOf(lengths: readonly number[]): Uint8Array {
  const buf = new Uint8Array(64 * 1024);
  let at = encodeNumberedHead(buf, 0, PacketType.BUNDLE, 1, 2, 3);
  for (const [i, length] of lengths.entries()) {
    at = encodeBundleItem(buf, at, { stream: 1, number: i, index: 0, total: 1, flags: 1 }, length);
    buf.fill(i + 1, at, at + length);
    at += length;
  }
  return buf.slice(0, at);
}

describe("numbers", () => {
  test("are big-endian, and read as zeros past the end", () => {
    const buf = new Uint8Array(6);
    expect(putU32(buf, putU16(buf, 0, 0x1_0203), 0xfffe_fdfc)).toBe(6);
    expect([...buf]).toEqual([2, 3, 0xff, 0xfe, 0xfd, 0xfc]);
    expect(u16(buf, 0)).toBe(0x0203);
    expect(u32(buf, 2)).toBe(0xfffe_fdfc);
    expect(u32(buf, 4)).toBe(0xfdfc_0000);
    expect(u16(buf, 6)).toBe(0);
  });
});

describe("DATA", () => {
  test("carries its head through, wherever it is written", () => {
    fc.assert(
      fc.property(fragmentHeaders, cids, u16s, fc.nat(40), (header, cid, pn, at) => {
        const buf = new Uint8Array(100).fill(0xee);
        const { stream, number, index, total, flags } = header;
        const end = encodeDataHead(
          buf,
          at,
          cid.hi,
          cid.lo,
          pn,
          stream,
          number,
          index,
          total,
          flags,
        );
        expect(end).toBe(at + HEAD_BYTES);
        expect(buf.subarray(0, at).every((byte) => byte === 0xee)).toBe(true);
        expect(buf.subarray(end).every((byte) => byte === 0xee)).toBe(true);
        const data = buf.subarray(at, end);
        expect(packetType(data)).toBe(PacketType.DATA);
        expect(isConnected(data)).toBe(true);
        expect([cidHi(data), cidLo(data), u16(data, ID_BYTES)]).toEqual([cid.hi, cid.lo, pn]);
        const out = blank();
        expect(decodeFragmentHeader(data, NUMBERED_BYTES, out)).toBe(true);
        expect(out).toEqual(header);
      }),
    );
  });

  test("refuses headers that are cut short or that no encoder writes", () => {
    const good = { stream: 1, number: 5, index: 0, total: 1, flags: 0 };
    const wrong: Partial<FragmentHeader>[] = [
      { stream: 0 },
      { index: 1 },
      { total: 0 },
      { flags: 5 },
      { flags: 7 },
    ];
    for (const change of wrong) {
      const buf = new Uint8Array(FRAGMENT_HEADER_BYTES);
      encodeFragmentHeader(buf, 0, { ...good, ...change });
      expect(decodeFragmentHeader(buf, 0, blank())).toBe(false);
    }
    const buf = new Uint8Array(FRAGMENT_HEADER_BYTES);
    encodeFragmentHeader(buf, 0, good);
    expect(decodeFragmentHeader(buf, 0, blank())).toBe(true);
    for (let n = 0; n < FRAGMENT_HEADER_BYTES; n++) {
      expect(decodeFragmentHeader(buf.subarray(0, n), 0, blank())).toBe(false);
    }
  });

  test("leaves 16 bytes for an authentication tag", () => {
    expect(HEAD_BYTES + FRAGMENT_BODY_BYTES).toBeLessThanOrEqual(MAX_DATAGRAM - 16);
  });

  test("has full bodies but for a segment's last fragment", () => {
    const header = { ...blank(), index: 0, total: 2 };
    expect(bodyFits(header, FRAGMENT_BODY_BYTES)).toBe(true);
    expect(bodyFits(header, FRAGMENT_BODY_BYTES - 1)).toBe(false);
    header.index = 1;
    expect(bodyFits(header, 1)).toBe(true);
    expect(bodyFits(header, 0)).toBe(false);
    expect(bodyFits(header, FRAGMENT_BODY_BYTES + 1)).toBe(false);
  });
});

test("CONTROL carries its offset", () => {
  const buf = new Uint8Array(20);
  expect(encodeControlHead(buf, 0, 1, 2, 3, 0xffff_fff0)).toBe(15);
  expect(u32(buf, NUMBERED_BYTES)).toBe(0xffff_fff0);
});

describe("BUNDLE", () => {
  test("gives each item with its body, in order", () => {
    const data = bundleOf([3, 1, 200]);
    const seen: [number, number[]][] = [];
    const ok = forEachBundled(data, NUMBERED_BYTES, blank(), (header, from, to) => {
      seen.push([header.number, [...data.subarray(from, to)]]);
    });
    expect(ok).toBe(true);
    expect(seen).toEqual([
      [0, [1, 1, 1]],
      [1, [2]],
      [2, new Array(200).fill(3)],
    ]);
  });

  test("is all or nothing: a bad item anywhere yields none", () => {
    const whole = bundleOf([3, 4]);
    let taken = 0;
    const take = () => taken++;
    for (let n = NUMBERED_BYTES + BUNDLE_ITEM_BYTES + 4; n < whole.length; n++) {
      expect(forEachBundled(whole.subarray(0, n), NUMBERED_BYTES, blank(), take)).toBe(false);
    }
    expect(forEachBundled(bundleOf([]), NUMBERED_BYTES, blank(), take)).toBe(false);
    expect(forEachBundled(bundleOf([3, 0]), NUMBERED_BYTES, blank(), take)).toBe(false);
    const many = new Array(BUNDLE_ITEMS_MAX + 1).fill(1);
    expect(forEachBundled(bundleOf(many), NUMBERED_BYTES, blank(), take)).toBe(false);
    expect(taken).toBe(0);
    expect(forEachBundled(bundleOf(many.slice(1)), NUMBERED_BYTES, blank(), take)).toBe(true);
    expect(taken).toBe(BUNDLE_ITEMS_MAX);
  });

  test("never hands out bytes beyond the datagram", () => {
    fc.assert(
      fc.property(datagramsLike(PacketType.BUNDLE), fc.nat(20), (data, at) => {
        forEachBundled(data, at, blank(), (header, from, to) => {
          expect(from).toBeLessThan(to);
          expect(to).toBeLessThanOrEqual(data.length);
          expect(bodyFits(header, to - from)).toBe(true);
        });
        const end = decodeBundleItem(data, at, blank());
        expect(end === 0 || end <= data.length).toBe(true);
      }),
    );
  });
});

describe("any bytes", () => {
  test("give a header within its bounds or a refusal", () => {
    fc.assert(
      fc.property(datagramsLike(PacketType.DATA), fc.nat(1500), (data, at) => {
        const out = blank();
        packetType(data);
        if (isConnected(data)) expect(data.length).toBeGreaterThanOrEqual(ID_BYTES);
        if (!decodeFragmentHeader(data, at, out)) return;
        expect(out.index).toBeLessThan(out.total);
        expect(out.stream).toBeGreaterThan(0);
        const again = new Uint8Array(FRAGMENT_HEADER_BYTES);
        encodeFragmentHeader(again, 0, out);
        expect([...again]).toEqual([...data.subarray(at, at + FRAGMENT_HEADER_BYTES)]);
      }),
    );
  });

  test("give the length of a whole ACK body or 0", () => {
    fc.assert(
      fc.property(datagramsLike(PacketType.ACK), fc.nat(30), (data, at) => {
        const bytes = ackBodyBytes(data, at);
        expect(at + bytes).toBeLessThanOrEqual(Math.max(at, data.length));
        expect(bytes).toBeLessThanOrEqual(143);
      }),
    );
    const ack = new Uint8Array(15 + 3);
    ack[14] = 3;
    expect(ackBodyBytes(ack, 0)).toBe(18);
    ack[14] = 4;
    expect(ackBodyBytes(ack, 0)).toBe(0);
  });
});
