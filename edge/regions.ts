/**
 * The operator's table of networks: which region (a provider, a city, a campus) an address belongs
 * to, so that viewers are fed from nearby first. The longest prefix that matches decides.
 */
import { isIP } from "node:net";

/** A region as the config names it; its number is its place in the list, from 1. */
export interface RegionRule {
  readonly name: string;
  /** `192.0.2.0/24`, `2001:db8::/32`, or a single address. */
  readonly cidrs: readonly string[];
}

interface Prefix {
  readonly family: number;
  readonly bits: number;
  readonly value: bigint;
}

const WIDTH: Readonly<Record<number, number>> = { 4: 32, 6: 128 };

export class Regions {
  /** Of each family, from the longest prefix to the shortest. */
  readonly #tables: readonly {
    readonly family: number;
    readonly bits: number;
    readonly regions: Map<bigint, number>;
  }[];

  constructor(rules: readonly RegionRule[]) {
    const tables = new Map<
      string,
      { family: number; bits: number; regions: Map<bigint, number> }
    >();
    rules.forEach(({ cidrs }, i) => {
      for (const cidr of cidrs) {
        const prefix = parseCidr(cidr);
        if (prefix === undefined) continue; /* the config's check has refused it */
        const { family, bits, value } = prefix;
        const key = `${family}/${bits}`;
        const table = tables.get(key) ?? { family, bits, regions: new Map() };
        tables.set(key, table);
        if (!table.regions.has(value)) table.regions.set(value, i + 1);
      }
    });
    this.#tables = [...tables.values()].sort((a, b) => b.bits - a.bits);
  }

  /** 1..65535, or 0 where the table has nothing. */
  regionOf(ip: string): number {
    if (this.#tables.length === 0) return 0;
    const family = isIP(ip);
    if (family === 0) return 0;
    const address = addressValue(ip, family);
    for (const { family: of, bits, regions } of this.#tables) {
      if (of !== family) continue;
      const region = regions.get(address >> BigInt((WIDTH[family] as number) - bits));
      if (region !== undefined) return region;
    }
    return 0;
  }
}

/** Its leading bits as a number, or undefined when it is none. Bits beyond the prefix are ignored. */
export function parseCidr(text: string): Prefix | undefined {
  const match = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text);
  const family = match ? isIP(match[1] as string) : 0;
  if (!match || family === 0) return undefined;
  const width = WIDTH[family] as number;
  const bits = match[2] === undefined ? width : Number(match[2]);
  if (bits > width) return undefined;
  return { family, bits, value: addressValue(match[1] as string, family) >> BigInt(width - bits) };
}

function addressValue(ip: string, family: number): bigint {
  return family === 4 ? ipv4Value(ip) : ipv6Value(ip);
}

function ipv4Value(ip: string): bigint {
  return ip.split(".").reduce((value, part) => (value << 8n) | BigInt(Number(part)), 0n);
}

function ipv6Value(ip: string): bigint {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(ip);
  const low = tail ? ipv4Value(tail[2] as string) : 0n;
  const text = tail ? `${tail[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}` : ip;
  const [head = "", rest] = text.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = rest === undefined || rest === "" ? [] : rest.split(":");
  const zeros = new Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0");
  return [...left, ...zeros, ...right].reduce(
    (value, part) => (value << 16n) | BigInt(Number.parseInt(part, 16)),
    0n,
  );
}
