/**
 * Proofs of the handshake (docs/WIRE.md §5): the responder's stateless cookie, which shows that an address can receive,
 * and the proof of a stream key, which never travels itself. HMAC-SHA256 (RFC 2104, RFC 6234).
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { assert } from "../base/assert.ts";
import { ADDRESS_BYTES_MAX, type Address, encodeAddress } from "./address.ts";
import { type ConnectionId, putU32, u32 } from "./packet.ts";
import { toClockUnits } from "./segment.ts";
import { utf8Bytes } from "./text.ts";

/** Time (4) and truncated HMAC (16). */
export const COOKIE_BYTES = 20;
export const PROOF_BYTES = 32;
export const COOKIE_LIFE_MS = 10_000;
/** A secret shorter than this would be the weakest link. */
const SECRET_BYTES_MIN = 16;

const TIME_BYTES = 4;
const PROOF_CONTEXT = utf8Bytes("shoal publish");

/** A cookie for `cid` at `address`: only who receives there can return it. */
export function makeCookie(
  secret: Uint8Array,
  nowMs: number,
  address: Address,
  cid: ConnectionId,
): Uint8Array {
  return cookieAt(secret, toClockUnits(nowMs), address, cid);
}

/** Whether `cookie` was made with this secret, for this address and id, within the last 10 s. */
export function checkCookie(
  secret: Uint8Array,
  nowMs: number,
  address: Address,
  cid: ConnectionId,
  cookie: Uint8Array,
): boolean {
  if (cookie.length !== COOKIE_BYTES) return false;
  const madeAt = u32(cookie, 0);
  const ageMs = ((toClockUnits(nowMs) - madeAt) | 0) / 10;
  if (ageMs < 0 || ageMs > COOKIE_LIFE_MS) return false;
  return equalBytes(cookie, cookieAt(secret, madeAt, address, cid));
}

function cookieAt(
  secret: Uint8Array,
  units: number,
  address: Address,
  cid: ConnectionId,
): Uint8Array {
  assert(secret.length >= SECRET_BYTES_MIN, "cookie secret too short");
  const message = new Uint8Array(TIME_BYTES + ADDRESS_BYTES_MAX + 8);
  const idAt = encodeAddress(message, putU32(message, 0, units), address);
  const end = putU32(message, putU32(message, idAt, cid.hi), cid.lo);
  const tag = hmac(sha256, secret, message.subarray(0, end));
  const cookie = new Uint8Array(COOKIE_BYTES);
  putU32(cookie, 0, units);
  cookie.set(tag.subarray(0, COOKIE_BYTES - TIME_BYTES), TIME_BYTES);
  return cookie;
}

/** 32 bytes that only a holder of the stream key can make for this cookie, id and stream name. */
export function proofOf(
  key: string,
  cookie: Uint8Array,
  cid: ConnectionId,
  stream: string,
): Uint8Array {
  const id = new Uint8Array(8);
  putU32(id, putU32(id, 0, cid.hi), cid.lo);
  return hmac
    .create(sha256, utf8Bytes(key))
    .update(PROOF_CONTEXT)
    .update(cookie)
    .update(id)
    .update(utf8Bytes(stream))
    .digest();
}

/** Whether `proof` was made from this key, in constant time. */
export function checkProof(
  key: string,
  cookie: Uint8Array,
  cid: ConnectionId,
  stream: string,
  proof: Uint8Array | undefined,
): boolean {
  return proof !== undefined && equalBytes(proof, proofOf(key, cookie, cid, stream));
}

/** Compares in a time that depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}
