/**
 * A home router that shares one outer address: what it makes of outgoing datagrams (mapping) and
 * which incoming ones it lets through (filtering), by the classic kinds (RFC 3489 §5; in the words
 * of RFC 4787, endpoint-independent mapping for the cones and address-and-port-dependent for the
 * symmetric).
 *
 *   kind             outer port for            lets in from
 *   open             itself, no router         anyone
 *   fullCone         all destinations          anyone
 *   restricted       all destinations          hosts written to
 *   portRestricted   all destinations          host and port written to
 *   symmetric        each destination anew     that destination alone
 */
import type { Address } from "../../wire/address.ts";
import type { AddressBook, SimAddress } from "./sim-address.ts";
import { TimeTable } from "./time-table.ts";

export const NAT_KINDS = ["open", "fullCone", "restricted", "portRestricted", "symmetric"] as const;
export type NatKind = (typeof NAT_KINDS)[number];

/**
 * A mapping unused for this long is forgotten (RFC 4787 §4.3 asks for 120 s; many routers give 30
 * to 60).
 */
export const MAPPING_MS = 60_000;
const FIRST_PORT = 20_000;

/** One outer port of a router. Its outer address leads back here (`SimAddress.mapping`). */
class Mapping {
  readonly outer: SimAddress;
  /** Where it may be written from, and when we last wrote there: host or address index, by kind. */
  readonly writtenTo = new TimeTable();
  usedMs = 0;

  constructor(outer: SimAddress) {
    this.outer = outer;
  }
}

export class Nat {
  readonly kind: NatKind;
  readonly #book: AddressBook;
  readonly #host: number;
  readonly #outerIp: string;
  /** The only one where mappings do not depend on the destination; else those by destination. */
  #mapping: Mapping | undefined;
  readonly #mappings = new Map<number, Mapping>();
  #nextPort = FIRST_PORT;

  constructor(kind: NatKind, book: AddressBook, host: number, outerIp: string) {
    this.kind = kind;
    this.#book = book;
    this.#host = host;
    this.#outerIp = outerIp;
  }

  /** The address under which a datagram to `to` leaves. */
  outbound(now: number, to: SimAddress): SimAddress {
    const mapping = this.kind === "symmetric" ? this.#symmetric(now, to) : this.#cone(now);
    mapping.usedMs = now;
    if (this.kind === "portRestricted") mapping.writtenTo.set(to.index, now);
    else if (this.kind === "restricted") mapping.writtenTo.set(to.host, now);
    return mapping.outer;
  }

  #cone(now: number): Mapping {
    const known = this.#mapping;
    if (known !== undefined && now - known.usedMs <= MAPPING_MS) return known;
    this.#mapping = this.#open(known);
    return this.#mapping;
  }

  #symmetric(now: number, to: SimAddress): Mapping {
    const known = this.#mappings.get(to.index);
    if (known !== undefined && now - known.usedMs <= MAPPING_MS) return known;
    const mapping = this.#open(known);
    mapping.writtenTo.set(to.index, Number.POSITIVE_INFINITY); /* as long as the mapping lives */
    this.#mappings.set(to.index, mapping);
    return mapping;
  }

  /** Whether a datagram from `from` to the outer address comes in. */
  admits(now: number, outer: SimAddress, from: SimAddress): boolean {
    const mapping = outer.mapping as Mapping | undefined;
    if (mapping === undefined || now - mapping.usedMs > MAPPING_MS) return false;
    if (this.kind === "fullCone") return true;
    const key = this.kind === "restricted" ? from.host : from.index;
    return now - mapping.writtenTo.get(key) <= MAPPING_MS;
  }

  #open(before: Mapping | undefined): Mapping {
    if (before !== undefined) before.outer.mapping = undefined;
    const address: Address = { family: 4, ip: this.#outerIp, port: this.#nextPort++ };
    const outer = this.#book.add(address, this.#host);
    const mapping = new Mapping(outer);
    outer.mapping = mapping;
    return mapping;
  }
}
