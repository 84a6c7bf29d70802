/**
 * A UDP address as the core sees it: family, textual IP in canonical form, port. v4-mapped IPv6 is written as IPv4, so
 * that one host has one address whichever socket family saw it.
 */
import { assert } from "../base/assert.ts";
import { formatIp, parseIpv4, parseIpv6, unmapIpv4 } from "./ip-text.ts";
import { putU16, u16 } from "./packet.ts";

export interface Address {
  readonly family: 4 | 6;
  /** Canonical text: dotted quad, or RFC 5952 lower-case IPv6 without zone. */
  readonly ip: string;
  /** 1..65535 */
  readonly port: number;
}

/** One string per address, for maps: `1.2.3.4:5` or `[::1]:5`. */
export function addressKey(address: Address): string {
  return address.family === 4 ? `${address.ip}:${address.port}` : `[${address.ip}]:${address.port}`;
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.port === b.port && a.ip === b.ip;
}

/** Bytes of an encoded IPv6 address, the longer of the two: family, 16 bytes, port. */
export const ADDRESS_BYTES_MAX = 19;

/** The address of `ip` in any textual form and `port`, made canonical; undefined when it is none, or its port is 0. */
export function parseAddress(ip: string, port: number): Address | undefined {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  const bytes = parseIpv4(ip) ?? parseIpv6(ip);
  return bytes === undefined ? undefined : addressOf(bytes, port);
}

/** Writes family (1), 4 or 16 bytes, port (2); returns the offset behind them. */
export function encodeAddress(buf: Uint8Array, at: number, address: Address): number {
  const bytes = address.family === 4 ? parseIpv4(address.ip) : parseIpv6(address.ip);
  assert(bytes !== undefined, `not a canonical address: ${address.ip}`);
  buf[at] = address.family;
  buf.set(bytes, at + 1);
  return putU16(buf, at + 1 + bytes.length, address.port);
}

/**
 * Reads an address at `at`. Undefined for another family, a cut one, or port 0. Readers of several go on by
 * `encodedAddressBytes`: a v4-mapped address takes 19 bytes and comes out as IPv4.
 */
export function decodeAddress(data: Uint8Array, at: number): Address | undefined {
  const bytes = encodedAddressBytes(data, at);
  if (bytes === 0) return undefined;
  const port = u16(data, at + bytes - 2);
  return port === 0 ? undefined : addressOf(data.subarray(at + 1, at + bytes - 2), port);
}

/** How many bytes the encoded address at `at` takes: 7 or 19, or 0 when there is none. */
export function encodedAddressBytes(data: Uint8Array, at: number): number {
  const bytes = data[at] === 4 ? 7 : data[at] === 6 ? ADDRESS_BYTES_MAX : 0;
  return at + bytes <= data.length ? bytes : 0;
}

function addressOf(bytes: Uint8Array, port: number): Address {
  const plain = bytes.length === 16 ? (unmapIpv4(bytes) ?? bytes) : bytes;
  return { family: plain.length === 4 ? 4 : 6, ip: formatIp(plain), port };
}

/** An address as a byte string of its own, as messages carry it. */
export function addressBytes(address: Address): Uint8Array {
  const buf = new Uint8Array(ADDRESS_BYTES_MAX);
  return buf.subarray(0, encodeAddress(buf, 0, address));
}

/** The address that fills such a byte string, if it is one. */
export function addressFromBytes(value: unknown): Address | undefined {
  if (!(value instanceof Uint8Array)) return undefined;
  return encodedAddressBytes(value, 0) === value.length ? decodeAddress(value, 0) : undefined;
}
