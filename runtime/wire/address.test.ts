import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  ADDRESS_BYTES_MAX,
  addressKey,
  decodeAddress,
  encodeAddress,
  encodedAddressBytes,
  parseAddress,
  sameAddress,
} from "./address.ts";
import { addresses } from "./testing/arbitraries.ts";

describe("address", () => {
  test("comes back from its bytes", () => {
    fc.assert(
      fc.property(addresses, fc.nat(5), (address, at) => {
        const buf = new Uint8Array(ADDRESS_BYTES_MAX + 5);
        const end = encodeAddress(buf, at, address);
        expect(end - at).toBe(address.family === 4 ? 7 : 19);
        expect(encodedAddressBytes(buf.subarray(0, end), at)).toBe(end - at);
        expect(decodeAddress(buf.subarray(0, end), at)).toEqual(address);
        expect(decodeAddress(buf.subarray(0, end - 1), at)).toBeUndefined();
      }),
    );
  });

  test("of one host is one, whichever family saw it", () => {
    const plain = parseAddress("127.0.0.1", 5000);
    const mapped = parseAddress("::ffff:127.0.0.1", 5000);
    const hex = parseAddress("::FFFF:7f00:1", 5000);
    expect(mapped).toEqual(plain as NonNullable<typeof plain>);
    expect(hex).toEqual(plain as NonNullable<typeof plain>);
    const bytes = new Uint8Array(19);
    bytes.set([6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1, 0x13, 0x88]);
    expect(decodeAddress(bytes, 0)).toEqual(plain);
  });

  test("has a port and a family we know", () => {
    expect(parseAddress("1.2.3.4", 0)).toBeUndefined();
    expect(parseAddress("1.2.3.4", 65_536)).toBeUndefined();
    expect(parseAddress("1.2.3.4", 1.5)).toBeUndefined();
    expect(parseAddress("localhost", 80)).toBeUndefined();
    expect(decodeAddress(Uint8Array.of(5, 1, 2, 3, 4, 0, 80), 0)).toBeUndefined();
    expect(decodeAddress(Uint8Array.of(4, 1, 2, 3, 4, 0, 0), 0)).toBeUndefined();
  });

  test("has one key and compares by ip and port", () => {
    const a = { family: 4, ip: "1.2.3.4", port: 5 } as const;
    const b = { family: 6, ip: "2001:db8::1", port: 5 } as const;
    expect(addressKey(a)).toBe("1.2.3.4:5");
    expect(addressKey(b)).toBe("[2001:db8::1]:5");
    expect(sameAddress(a, { ...a })).toBe(true);
    expect(sameAddress(a, { ...a, port: 6 })).toBe(false);
    expect(sameAddress(a, b)).toBe(false);
  });

  test("any bytes give an address that encodes again, or nothing", () => {
    const family = fc.constantFrom(4, 6, 0, 255);
    const rest = fc.uint8Array({ maxLength: 24 });
    fc.assert(
      fc.property(family, rest, fc.nat(30), (first, bytes, at) => {
        const address = decodeAddress(Uint8Array.of(first, ...bytes), at);
        if (address === undefined) return;
        const buf = new Uint8Array(ADDRESS_BYTES_MAX);
        expect(decodeAddress(buf.subarray(0, encodeAddress(buf, 0, address)), 0)).toEqual(address);
      }),
    );
  });
});
