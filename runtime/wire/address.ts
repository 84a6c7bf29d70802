/**
 * A UDP address as the core sees it: family, textual IP in canonical form, port. v4-mapped IPv6 is written as IPv4, so
 * that one host has one address whichever socket family saw it.
 */
export interface Address {
  readonly family: 4 | 6;
  /** Canonical text: dotted quad, or RFC 5952 lower-case IPv6 without zone. */
  readonly ip: string;
  /** 1..65535 */
  readonly port: number;
}

/** One string per address, for maps: `1.2.3.4:5` or `[::1]:5`. */
export function addressKey(address: Address): string {
  return address.family === 4
    ? `${address.ip}:${address.port}`
    : `[${address.ip}]:${address.port}`;
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.port === b.port && a.ip === b.ip;
}
