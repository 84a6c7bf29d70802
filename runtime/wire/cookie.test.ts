import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseAddress } from "./address.ts";
import {
  COOKIE_BYTES,
  COOKIE_LIFE_MS,
  checkCookie,
  checkProof,
  equalBytes,
  makeCookie,
  PROOF_BYTES,
  proofOf,
} from "./cookie.ts";
import { addresses, bytesOf, cids } from "./testing/arbitraries.ts";

const secret = new Uint8Array(32).fill(9);
const from = parseAddress("192.0.2.1", 4000) as NonNullable<ReturnType<typeof parseAddress>>;
const cid = { hi: 1, lo: 2 };

describe("cookie", () => {
  test("is good for its address and id, for ten seconds", () => {
    const cookie = makeCookie(secret, 1000, from, cid);
    expect(cookie.length).toBe(COOKIE_BYTES);
    expect(checkCookie(secret, 1000, from, cid, cookie)).toBe(true);
    expect(checkCookie(secret, 1000 + COOKIE_LIFE_MS, from, cid, cookie)).toBe(true);
    expect(checkCookie(secret, 1001 + COOKIE_LIFE_MS, from, cid, cookie)).toBe(false);
    expect(checkCookie(secret, 999, from, cid, cookie)).toBe(false);
  });

  test("is worth nothing elsewhere", () => {
    const cookie = makeCookie(secret, 1000, from, cid);
    expect(checkCookie(secret, 1000, { ...from, port: 4001 }, cid, cookie)).toBe(false);
    expect(checkCookie(secret, 1000, { ...from, ip: "192.0.2.2" }, cid, cookie)).toBe(false);
    expect(checkCookie(secret, 1000, from, { hi: 1, lo: 3 }, cookie)).toBe(false);
    expect(checkCookie(new Uint8Array(32), 1000, from, cid, cookie)).toBe(false);
  });

  test("cannot be changed by a bit, its time included", () => {
    const cookie = makeCookie(secret, 1000, from, cid);
    for (let bit = 0; bit < COOKIE_BYTES * 8; bit++) {
      const forged = cookie.slice();
      forged[bit >> 3] = (forged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(checkCookie(secret, 1000, from, cid, forged)).toBe(false);
    }
  });

  test("survives the wrap of the wire's clock", () => {
    const wrapMs = 2 ** 32 / 10;
    const cookie = makeCookie(secret, wrapMs - 5, from, cid);
    expect(checkCookie(secret, wrapMs + 5, from, cid, cookie)).toBe(true);
  });

  test("any bytes are judged, not thrown at", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), addresses, cids, (bytes, address, id) => {
        expect(checkCookie(secret, 1000, address, id, bytes)).toBe(false);
      }),
    );
  });
});

describe("proof of a key", () => {
  const cookie = makeCookie(secret, 1000, from, cid);
  const proof = proofOf("s3cret", cookie, cid, "live/a");

  test("holds for the key, cookie, id and stream it was made with", () => {
    expect(proof.length).toBe(PROOF_BYTES);
    expect(checkProof("s3cret", cookie, cid, "live/a", proof)).toBe(true);
    expect(checkProof("S3cret", cookie, cid, "live/a", proof)).toBe(false);
    expect(checkProof("s3cret", cookie, cid, "live/b", proof)).toBe(false);
    expect(checkProof("s3cret", cookie, { hi: 1, lo: 3 }, "live/a", proof)).toBe(false);
    expect(checkProof("s3cret", makeCookie(secret, 1001, from, cid), cid, "live/a", proof)).toBe(
      false,
    );
    expect(checkProof("s3cret", cookie, cid, "live/a", undefined)).toBe(false);
    expect(checkProof("s3cret", cookie, cid, "live/a", new Uint8Array(0))).toBe(false);
  });
});

test("bytes are equal when all of them are", () => {
  fc.assert(
    fc.property(bytesOf(9), fc.nat(8), (bytes, at) => {
      const other = bytes.slice();
      expect(equalBytes(bytes, other)).toBe(true);
      other[at] = (other[at] as number) ^ 1;
      expect(equalBytes(bytes, other)).toBe(false);
      expect(equalBytes(bytes, bytes.subarray(1))).toBe(false);
    }),
  );
});
