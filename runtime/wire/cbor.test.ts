import { describe, expect, test } from "bun:test";
import { Encoder } from "cbor-x/index-no-eval";
import fc from "fast-check";
import {
  bytesField,
  CBOR_VALUES_MAX,
  decodeFields,
  encodeFields,
  integerField,
  mapField,
  textField,
} from "./cbor.ts";

const any = new Encoder({ useRecords: false });
const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));

/** {"a": <value>} */
const withValue = (value: string) => decodeFields(hex(`a1 61 61 ${value}`));

const keys = fc.stringMatching(/^[a-z]{1,8}$/);
const leaves = fc.oneof(
  fc.integer({ min: -(2 ** 32), max: 2 ** 32 - 1 }),
  fc.double({ noNaN: true }),
  fc.boolean(),
  fc.string({ maxLength: 20 }),
  fc.uint8Array({ maxLength: 20 }),
  fc.constant(null),
);
const maps = fc.dictionary(keys, fc.oneof(leaves, fc.array(leaves, { maxLength: 5 })), {
  maxKeys: 8,
  noNullPrototype: true,
});

describe("fields", () => {
  test("come back as they were encoded", () => {
    fc.assert(
      fc.property(maps, (map) => {
        expect(decodeFields(encodeFields(map))).toEqual(map);
      }),
    );
  });

  test("leave out what is undefined", () => {
    expect(decodeFields(encodeFields({ a: 1, b: undefined }))).toEqual({ a: 1 });
  });

  test("are bytes of their own", () => {
    const first = encodeFields({ a: 1 });
    const copy = [...first];
    encodeFields({ b: 2 });
    expect([...first]).toEqual(copy);
    const id = decodeFields(encodeFields({ id: new Uint8Array(8) }))?.["id"] as Uint8Array;
    expect(id.buffer.byteLength).toBe(8);
  });
});

describe("refused", () => {
  test("everything that is no map of plain values", () => {
    const values = [new Date(0), new Set([1]), /x/, new Error("x"), 2n ** 70n, new Map([[1, 2]])];
    for (const value of values) expect(decodeFields(any.encode({ a: value }))).toBeUndefined();
    for (const value of [[], 1, "a", null]) expect(decodeFields(any.encode(value))).toBeUndefined();
  });

  test("tags, simple values, indefinite lengths, reserved bytes", () => {
    expect(withValue("01")).toEqual({ a: 1 });
    const bad = [
      "c1 01",
      "d9 dfff 80",
      "f7",
      "f8 ff",
      "f0",
      "9f 01 ff",
      "5f ff",
      "1c",
      "ff",
      "3b ffffffffffffffff",
    ];
    for (const value of bad) expect(withValue(value), value).toBeUndefined();
    expect(decodeFields(hex("bf ff"))).toBeUndefined();
    expect(decodeFields(hex("a1 01 01"))).toBeUndefined();
  });

  test("what is cut, or has something behind it", () => {
    const whole = encodeFields({ a: [1, "b"], c: new Uint8Array(3) });
    for (let n = 0; n < whole.length; n++)
      expect(decodeFields(whole.subarray(0, n))).toBeUndefined();
    expect(decodeFields(Uint8Array.of(...whole, 0))).toBeUndefined();
  });

  test("depth, and more values than the bytes hold", () => {
    expect(withValue("81 81 81 01")).toEqual({ a: [[[1]]] });
    expect(withValue("81 81 81 81 01")).toBeUndefined();
    expect(
      decodeFields(Uint8Array.of(0xa1, 0x61, 0x61, ...new Uint8Array(8000).fill(0x81))),
    ).toBeUndefined();
    expect(withValue("9a ffffffff")).toBeUndefined();
    expect(withValue("7a ffffffff")).toBeUndefined();
    const many = { a: new Array(CBOR_VALUES_MAX).fill(1) };
    expect(decodeFields(any.encode(many))).toBeUndefined();
  });

  test("keys that would reach the prototype stay harmless", () => {
    const fields = decodeFields(any.encode(JSON.parse('{"__proto__": {"x": 1}, "a": 2}')));
    expect((fields as Record<string, unknown> | undefined)?.["x"]).toBeUndefined();
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });
});

test("any bytes give fields or nothing", () => {
  const mapLike = fc
    .uint8Array({ maxLength: 80 })
    .map((rest) => Uint8Array.of(0xa0 + (rest.length % 6), ...rest));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), mapLike), (bytes) => {
      decodeFields(bytes);
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(maps, fc.nat(), fc.nat(255), (map, where, value) => {
      const bytes = encodeFields(map);
      bytes[where % bytes.length] = value;
      decodeFields(bytes);
    }),
    { numRuns: 2000 },
  );
});

test("field helpers take the type and bounds they are asked for", () => {
  const fields = { n: 5, t: "abc", b: new Uint8Array(2), m: { x: 1 }, big: 7n, a: [1] };
  expect(integerField(fields, "n", 0, 5)).toBe(5);
  expect(integerField(fields, "n", 0, 4)).toBeUndefined();
  expect(integerField(fields, "n", 6, 9)).toBeUndefined();
  expect(integerField(fields, "big", 0, 9)).toBe(7);
  expect(integerField(fields, "t", 0, 9)).toBeUndefined();
  expect(textField(fields, "t", 3)).toBe("abc");
  expect(textField(fields, "t", 2)).toBeUndefined();
  expect(textField(fields, "n", 2)).toBeUndefined();
  expect(bytesField(fields, "b", 2)).toEqual(new Uint8Array(2));
  expect(bytesField(fields, "b", 3)).toBeUndefined();
  expect(mapField(fields, "m")).toEqual({ x: 1 });
  expect(mapField(fields, "a")).toBeUndefined();
  expect(mapField(fields, "b")).toBeUndefined();
  expect(mapField(fields, "none")).toBeUndefined();
});
