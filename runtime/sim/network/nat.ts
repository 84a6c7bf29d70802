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

export const NAT_KINDS = ["open", "fullCone", "restricted", "portRestricted", "symmetric"] as const;
export type NatKind = (typeof NAT_KINDS)[number];

/**
 * A mapping unused for this long is forgotten (RFC 4787 §4.3 asks for 120 s; many routers give 30
 * to 60).
 */
export const MAPPING_MS = 60_000;
const FIRST_PORT = 20_000;

interface Mapping {
  readonly outer: SimAddress;
  /** Who may write back, and when we last wrote there: host or address index, by kind. */
  readonly writtenTo: Map<number, number>;
  usedMs: number;
}

export class Nat {
  readonly kind: NatKind;
  readonly #book: AddressBook;
  readonly #host: number;
  readonly #outerIp: string;
  /** By destination where mappings depend on it, else under 0. */
  readonly #mappings = new Map<number, Mapping>();
  readonly #byOuter = new Map<number, Mapping>();
  #nextPort = FIRST_PORT;

  constructor(kind: NatKind, book: AddressBook, host: number, outerIp: string) {
    this.kind = kind;
    this.#book = book;
    this.#host = host;
    this.#outerIp = outerIp;
  }

  /** The address under which a datagram to `to` leaves. */
  outbound(now: number, to: SimAddress): SimAddress {
    const key = this.kind === "symmetric" ? to.index + 1 : 0;
    let mapping = this.#mappings.get(key);
    if (mapping === undefined || now - mapping.usedMs > MAPPING_MS) {
      mapping = this.#open(key, mapping);
    }
    mapping.usedMs = now;
    mapping.writtenTo.set(this.kind === "restricted" ? to.host : to.index, now);
    return mapping.outer;
  }

  /** Whether a datagram from `from` to the outer address with this index comes in. */
  admits(now: number, outer: number, from: SimAddress): boolean {
    const mapping = this.#byOuter.get(outer);
    if (mapping === undefined || now - mapping.usedMs > MAPPING_MS) return false;
    if (this.kind === "fullCone") return true;
    const written = mapping.writtenTo.get(this.kind === "restricted" ? from.host : from.index);
    return written !== undefined && now - written <= MAPPING_MS;
  }

  #open(key: number, before: Mapping | undefined): Mapping {
    if (before !== undefined) this.#byOuter.delete(before.outer.index);
    const address: Address = { family: 4, ip: this.#outerIp, port: this.#nextPort++ };
    const outer = this.#book.add(address, this.#host);
    const mapping: Mapping = { outer, writtenTo: new Map(), usedMs: 0 };
    this.#mappings.set(key, mapping);
    this.#byOuter.set(outer.index, mapping);
    return mapping;
  }
}
