/**
 * What this machine can say of itself to the swarm: addresses at which viewers in the same network
 * may reach it, and how busy the processor is with this program.
 */
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import type { Address } from "../runtime/wire/address.ts";

/** As many as the edge takes. (docs/WIRE.md §8, `here`) */
const ADDRESSES_MAX = 3;
/** CPU time is counted over at least this, ms. */
const SPAN_MS_MIN = 900;

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * Addresses of this machine beside the one the edge sees, at most 3: IPv4 of every network card,
 * and IPv6 that is routed everywhere, where the socket speaks it.
 */
export function ownAddresses(
  bound: Address,
  interfaces: Interfaces = networkInterfaces(),
): Address[] {
  const { port } = bound;
  const found: Address[] = [];
  for (const card of Object.values(interfaces)) {
    for (const { family, address, internal } of card ?? []) {
      if (internal) continue;
      if (family === "IPv4" && !address.startsWith("169.254.")) {
        found.push({ family: 4, ip: address, port });
      } else if (family === "IPv6" && bound.family === 6 && isGlobal(address)) {
        found.push({ family: 6, ip: address, port });
      }
    }
  }
  return found.slice(0, ADDRESSES_MAX);
}

/** Global unicast, 2000::/3 (RFC 4291 §2.4). */
function isGlobal(ip: string): boolean {
  return /^[23][0-9a-f]{3}:/i.test(ip);
}

export interface CpuSource {
  nowMs(): number;
  /** CPU time of this process so far, ms. */
  usedMs(): number;
}

const THIS_PROCESS: CpuSource = {
  nowMs: () => performance.now(),
  usedMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

/** Tells the share of one core, 0..1, that this process used of late. */
export function createCpuShare(source: CpuSource = THIS_PROCESS): () => number {
  let [sinceMs, usedMs, share] = [source.nowMs(), source.usedMs(), 0];
  return () => {
    const spanMs = source.nowMs() - sinceMs;
    if (spanMs < SPAN_MS_MIN) return share;
    const used = source.usedMs();
    share = Math.min(1, Math.max(0, (used - usedMs) / spanMs));
    sinceMs += spanMs;
    usedMs = used;
    return share;
  };
}
