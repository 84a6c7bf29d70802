/** Where hosts are: addresses by region, and the paths between regions. */
import type { Random } from "../../base/prng.ts";
import type { Address } from "../../wire/address.ts";
import { IDEAL } from "../network/link.ts";
import type { Network } from "../network/network.ts";
import { lossModel } from "./population.ts";
import type { Scenario } from "./schema.ts";

/**
 * First byte of all outer addresses: 100.64.0.0/10 (RFC 6598), which no real host of the internet
 * has.
 */
const OUTER = 100;
const FIRST_REGION = 64;
const PORT = 4000;
/** Pairs of hosts of two regions differ by this share of the range that the scenario gives. */
const PAIR_SHARE = 0.2;

/** Outer address of host `number` in a region. */
export function outerAddress(region: number, number: number): Address {
  const ip = `${OUTER}.${FIRST_REGION + region}.${(number >> 8) & 255}.${number & 255}`;
  return { family: 4, ip, port: PORT + (number >> 16) };
}

/**
 * What a host behind a router calls itself; routers of many homes use the same, but here each has
 * its own.
 */
export function innerAddress(number: number): Address {
  const ip = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
  return { family: 4, ip, port: PORT };
}

/** The operator's table: region of an outer address, from 1; 0 = unknown. */
export function regionOf(ip: string): number {
  const [first, second] = ip.split(".").map(Number);
  return first === OUTER && second !== undefined ? second - FIRST_REGION + 1 : 0;
}

/**
 * Lays the paths between all regions. Both ways of a pair are as long, but lose each for itself.
 */
export function layPaths(network: Network, scenario: Scenario, random: Random): void {
  const { regions, rttWithinMs, rttAcrossMs, jitterMs, loss } = scenario.network;
  const model = { ...IDEAL, jitterMs, loss: lossModel(loss) };
  for (let a = 0; a < regions.length; a++) {
    for (let b = a; b < regions.length; b++) {
      const [fromMs, toMs] = a === b ? rttWithinMs : narrowed(rttAcrossMs, random);
      const delayMs = fromMs / 2;
      const spreadMs = (toMs - fromMs) / 2;
      network.setPath(a, b, { ...model, delayMs }, spreadMs);
      if (a !== b) network.setPath(b, a, { ...model, delayMs }, spreadMs);
    }
  }
}

/** A part of the range, somewhere in it: two regions lie where they lie. */
function narrowed([from, to]: readonly [number, number], random: Random): [number, number] {
  const width = (to - from) * PAIR_SHARE;
  const start = from + (to - from - width) * random.next();
  return [start, start + width];
}
