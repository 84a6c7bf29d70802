/**
 * Addresses as the system wants and gives them (struct sockaddr_in and sockaddr_in6, ip(7) and ipv6(7)). Those sent to
 * lie in one table, each made once; those heard of are looked up by their numbers, and no text is made of them twice.
 *
 *   0        2      4                 8                               24       28
 *   +--------+------+-----------------+-------------------------------+--------+
 *   | family | port | IPv4, or flow   | IPv6                          | scope  |
 *   +--------+------+-----------------+-------------------------------+--------+
 */
import type { Address } from "../../wire/address.ts";
import { formatIp, parseIpv4, parseIpv6 } from "../../wire/ip-text.ts";
import { u32 } from "../../wire/packet.ts";
import type { AddressTable } from "../address-table.ts";
import type { Libc } from "./libc.ts";

const AF_INET = 2;
const AF_INET6 = 10;
/** Bytes kept for each. */
export const SOCKADDR = 32;
const ADDRESSES_MAX = 16_384;
const PORTS = 65_536;

/** Addresses to send to. */
export class Sockaddrs {
  /** Bytes of one that count. */
  readonly length: number;
  readonly #isIpv6: boolean;
  readonly #slots = new Map<Address, number>();
  readonly #bytes = new Uint8Array(ADDRESSES_MAX * SOCKADDR);
  readonly #at: number;

  /** For a socket of IPv6 (which sends to IPv4 as well) or of IPv4. */
  constructor(libc: Pick<Libc, "addressOf">, isIpv6: boolean) {
    this.#isIpv6 = isIpv6;
    this.length = isIpv6 ? 28 : 16;
    this.#at = libc.addressOf(this.#bytes);
  }

  /** Where `to` lies as the system wants it; 0 when it needs more than that (a zone), or another family. */
  pointerTo(to: Address): number {
    const slot = this.#slots.get(to) ?? this.#add(to);
    return slot < 0 ? 0 : this.#at + slot * SOCKADDR;
  }

  #add(to: Address): number {
    if (to.family === 4 ? false : !this.#isIpv6 || to.ip.toLowerCase().startsWith("fe80"))
      return -1;
    const ip = to.family === 4 ? parseIpv4(to.ip) : parseIpv6(to.ip);
    if (ip === undefined) return -1;
    if (this.#slots.size === ADDRESSES_MAX) this.#slots.clear();
    const slot = this.#slots.size;
    const at = slot * SOCKADDR;
    const bytes = this.#bytes.fill(0, at, at + SOCKADDR);
    bytes[at] = this.#isIpv6 ? AF_INET6 : AF_INET;
    bytes[at + 2] = to.port >>> 8;
    bytes[at + 3] = to.port;
    if (!this.#isIpv6) bytes.set(ip, at + 4);
    else if (to.family === 6) bytes.set(ip, at + 8);
    else bytes.set([0xff, 0xff, ...ip], at + 18);
    this.#slots.set(to, slot);
    return slot;
  }
}

/** Addresses heard of. */
export class HeardAddresses {
  readonly #table: AddressTable;
  /** By IPv4 address × 2^16 + port. */
  readonly #byNumbers = new Map<number, Address>();

  constructor(table: AddressTable) {
    this.#table = table;
  }

  /** The address written at `at`; undefined when that is no IP address. */
  read(bytes: Uint8Array, at: number): Address | undefined {
    const port = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
    if (bytes[at] === AF_INET6) {
      return isMapped(bytes, at)
        ? this.#ipv4(bytes, at + 20, port)
        : this.#table.intern(formatIp(bytes.subarray(at + 8, at + 24)), port);
    }
    return bytes[at] === AF_INET ? this.#ipv4(bytes, at + 4, port) : undefined;
  }

  #ipv4(bytes: Uint8Array, at: number, port: number): Address {
    const key = u32(bytes, at) * PORTS + port;
    const known = this.#byNumbers.get(key);
    if (known !== undefined) return known;
    if (this.#byNumbers.size === ADDRESSES_MAX) this.#byNumbers.clear();
    const address = this.#table.intern(formatIp(bytes.subarray(at, at + 4)), port);
    this.#byNumbers.set(key, address);
    return address;
  }
}

/** ::ffff:0:0/96 (RFC 4291 §2.5.5.2). */
function isMapped(bytes: Uint8Array, at: number): boolean {
  for (let i = 8; i < 18; i++) if (bytes[at + i] !== 0) return false;
  return bytes[at + 18] === 0xff && bytes[at + 19] === 0xff;
}
