import { expect, test } from "bun:test";
import { encodeBundleItem, encodeDataHead } from "../../wire/packet.ts";
import { FragmentMeter } from "./fragment-meter.ts";

function data(number: number): Uint8Array {
  const bytes = new Uint8Array(64);
  return bytes.subarray(0, encodeDataHead(bytes, 0, 1, 2, 3, 9, number, 0, 1, 0));
}

test("tells fresh fragments from those that came before, viewer by viewer", () => {
  const meter = new FragmentMeter();
  for (const number of [0, 1, 2, 1, 5, 4, 5, 10_000, 9_999, 9_999, 1])
    meter.handleMedia(1, data(number));
  expect([meter.fresh, meter.duplicates]).toEqual([
    8, 3,
  ]); /* the last 1 lies far behind the window */
  meter.handleMedia(2, data(0));
  expect([meter.fresh, meter.duplicates]).toEqual([9, 3]);
});

test("agrees with a set over numbers that rise by leaps", () => {
  const meter = new FragmentMeter();
  const seen = new Set<number>();
  let duplicates = 0;
  for (let i = 0; i < 20_000; i++) {
    const number = Math.floor(i * 1.7) + ((i * 7919) % 200);
    if (seen.has(number)) duplicates++;
    seen.add(number);
    meter.handleMedia(1, data(number));
  }
  expect(meter.duplicates).toBe(duplicates);
});

test("counts each fragment of a bundle", () => {
  const meter = new FragmentMeter();
  const bytes = new Uint8Array(200);
  bytes[0] = 0x11;
  let at = 11;
  for (const number of [3, 4, 3]) {
    const header = { stream: 9, number, index: 0, total: 1, flags: 0 };
    at = encodeBundleItem(bytes, at, header, 20) + 20;
  }
  meter.handleMedia(1, bytes.subarray(0, at));
  expect([meter.fresh, meter.duplicates]).toEqual([2, 1]);
});
