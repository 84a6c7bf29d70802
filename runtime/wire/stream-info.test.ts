import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeFields, encodeFields } from "./cbor.ts";
import { streamInfoOf } from "./stream-info.ts";
import { streamInfos } from "./testing/arbitraries.ts";

test("a stream's binding comes back from its fields", () => {
  fc.assert(
    fc.property(streamInfos, (info) => {
      const fields = decodeFields(encodeFields({ ...info, later: true }));
      expect(streamInfoOf(fields ?? {})).toEqual(info);
    }),
  );
});

test("a binding with a field missing or out of bounds is none", () => {
  const good = { index: 1, name: "a", id: new Uint8Array(8), epoch: 0, first: 0, next: 0 };
  expect(streamInfoOf(good)).toEqual(good);
  for (const name of Object.keys(good)) {
    expect(streamInfoOf({ ...good, [name]: undefined }), name).toBeUndefined();
  }
  expect(streamInfoOf({ ...good, index: 0 })).toBeUndefined();
  expect(streamInfoOf({ ...good, index: 65_536 })).toBeUndefined();
  expect(streamInfoOf({ ...good, epoch: 2 ** 32 })).toBeUndefined();
  expect(streamInfoOf({ ...good, id: new Uint8Array(9) })).toBeUndefined();
  expect(streamInfoOf({ ...good, name: "x".repeat(129) })).toBeUndefined();
});
