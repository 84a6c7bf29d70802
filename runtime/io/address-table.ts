/**
 * One Address object per remote address, made once instead of once a datagram. The IPv4 part of a
 * v4-mapped IPv6 address (RFC 4291 §2.5.5.2) is taken out, so a host is the same whichever socket
 * family saw it. The table is a cache: when it is full it starts over, and addresses held elsewhere
 * stay good because they compare by value.
 */
import type { Address } from "../wire/address.ts";

const ADDRESSES_MAX = 65_536;
const MAPPED_PREFIX = "::ffff:";

export class AddressTable {
  readonly #max: number;
  #byIp = new Map<string, Map<number, Address>>();
  #count = 0;

  constructor(max = ADDRESSES_MAX) {
    this.#max = max;
  }

  get size(): number {
    return this.#count;
  }

  /** The address for an IP as the system writes it (v4, v6, v4-mapped, with or without a zone). */
  intern(ip: string, port: number): Address {
    let byPort = this.#byIp.get(ip);
    const known = byPort?.get(port);
    if (known !== undefined) return known;
    if (this.#count >= this.#max) {
      this.#byIp.clear();
      this.#count = 0;
      byPort = undefined;
    }
    if (byPort === undefined) {
      byPort = new Map();
      this.#byIp.set(ip, byPort);
    }
    const address = systemAddress(ip, port);
    byPort.set(port, address);
    this.#count++;
    return address;
  }
}

/** An Address from what the system calls it. */
export function systemAddress(ip: string, port: number): Address {
  if (!ip.includes(":")) return { family: 4, ip, port };
  const isMapped = ip.startsWith(MAPPED_PREFIX) && ip.includes(".");
  if (isMapped) return { family: 4, ip: ip.slice(MAPPED_PREFIX.length), port };
  const zone = ip.indexOf("%");
  return { family: 6, ip: zone < 0 ? ip : ip.slice(0, zone), port };
}
