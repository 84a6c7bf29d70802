import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  FLV_AUDIO,
  FLV_SCRIPT,
  FLV_VIDEO,
  FlvDemuxer,
  FlvError,
  type FlvTag,
  flvHeader,
  flvTag,
} from "./flv.ts";

const tagArbitrary: fc.Arbitrary<FlvTag> = fc.record({
  type: fc.constantFrom<FlvTag["type"]>(FLV_AUDIO, FLV_VIDEO, FLV_SCRIPT),
  dtsMs: fc.nat(0xffff_ffff),
  body: fc.uint8Array({ minLength: 1, maxLength: 300 }),
});

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

test("gives back every tag that was written, however the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.array(tagArbitrary),
      fc.infiniteStream(fc.integer({ min: 1, max: 700 })),
      (tags, sizes) => {
        const bytes = join([
          flvHeader({ audio: true, video: true }),
          ...tags.map((tag) => flvTag(tag.type, tag.dtsMs, tag.body)),
        ]);
        const demuxer = new FlvDemuxer();
        const found: FlvTag[] = [];
        for (let at = 0; at < bytes.length; ) {
          const size = sizes.next().value as number;
          found.push(...demuxer.push(bytes.subarray(at, at + size)));
          at += size;
        }
        expect(found).toEqual(tags);
        expect(demuxer.clean).toBe(true);
      },
    ),
  );
});

test("writes the header, the extended timestamp and the size behind the tag", () => {
  expect([...flvHeader({ audio: true, video: false })]).toEqual([
    0x46, 0x4c, 0x56, 1, 4, 0, 0, 0, 9, 0, 0, 0, 0,
  ]);
  const tag = flvTag(FLV_VIDEO, 0x12345678, Uint8Array.of(7, 8));
  expect([...tag]).toEqual([9, 0, 0, 2, 0x34, 0x56, 0x78, 0x12, 0, 0, 0, 7, 8, 0, 0, 0, 13]);
});

test("says where the bytes stop being FLV, and stays so", () => {
  const demuxer = new FlvDemuxer();
  const good = join([
    flvHeader({ audio: true, video: true }),
    flvTag(FLV_AUDIO, 0, Uint8Array.of(1)),
  ]);
  expect(demuxer.push(good)).toHaveLength(1);
  const garbage = (): unknown => demuxer.push(new Uint8Array(20).fill(0x55));
  expect(garbage).toThrow(FlvError);
  expect(garbage).toThrow(`at byte ${good.length}`);
  expect(() => new FlvDemuxer().push(new TextEncoder().encode("<html>"))).toThrow(
    "begin with 'FLV'",
  );
});

test("refuses a tag over 1 MiB by its header alone", () => {
  const demuxer = new FlvDemuxer();
  demuxer.push(flvHeader({ audio: true, video: true }));
  expect(() => demuxer.push(Uint8Array.of(9, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, 0))).toThrow(
    "1048577 bytes",
  );
});

test("leaves empty tags out", () => {
  const demuxer = new FlvDemuxer();
  const bytes = [flvHeader({ audio: true, video: true }), flvTag(FLV_AUDIO, 1, new Uint8Array(0))];
  expect(demuxer.push(join([...bytes, flvTag(FLV_AUDIO, 2, Uint8Array.of(1))]))).toHaveLength(1);
});

test("any bytes give tags or an FlvError", () => {
  const anything = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 });
  fc.assert(
    fc.property(anything, fc.boolean(), (pieces, withHeader) => {
      const demuxer = new FlvDemuxer();
      try {
        if (withHeader) demuxer.push(flvHeader({ audio: true, video: true }));
        for (const piece of pieces) demuxer.push(piece);
      } catch (error) {
        expect(error).toBeInstanceOf(FlvError);
      }
    }),
  );
});
