/**
 * Addresses of the virtual network: what nodes see is a plain address; the network knows at once
 * whose it is. A host behind a NAT has one for each mapping. Packets name them by index.
 */
import { type Address, addressKey } from "../../wire/address.ts";

/** Host of an address that was only ever forged. */
export const NOBODY = -1;

export class SimAddress implements Address {
  readonly family: 4 | 6;
  readonly ip: string;
  readonly port: number;
  readonly index: number;
  readonly host: number;
  /** Of the router whose outer address it is, while that lasts (nat.ts). */
  mapping: object | undefined;

  constructor(address: Address, index: number, host: number) {
    this.family = address.family;
    this.ip = address.ip;
    this.port = address.port;
    this.index = index;
    this.host = host;
  }
}

/** Every address that packets can go to or claim to be from. */
export class AddressBook {
  readonly #addresses: SimAddress[] = [];
  readonly #byKey = new Map<string, SimAddress>();

  at(index: number): SimAddress {
    return this.#addresses[index] as SimAddress;
  }

  /** The address as the network knows it, or undefined when it has never heard of it. */
  find(address: Address): SimAddress | undefined {
    return address instanceof SimAddress ? address : this.#byKey.get(addressKey(address));
  }

  /** Enters an address; it must be new. */
  add(address: Address, host: number): SimAddress {
    const entry = new SimAddress(address, this.#addresses.length, host);
    this.#addresses.push(entry);
    this.#byKey.set(addressKey(address), entry);
    return entry;
  }
}
