/** What a node of this program is born with: addresses of the edge, a local address to bind, the boot epoch. */
import { lookup } from "node:dns/promises";
import type { Address } from "../runtime/wire/address.ts";
import { formatHostPort } from "./arguments.ts";

/** Something outside failed before it began; the message is the one line to print. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/** Addresses of one host tried at most. */
const ADDRESSES_MAX = 8;

/** The edge's addresses, in the order the system prefers. @throws StartError when the name has none. */
export async function resolveEdge(host: string, port: number): Promise<Address[]> {
  try {
    const found = await lookup(host, { all: true, verbatim: true });
    return found.slice(0, ADDRESSES_MAX).map(({ address, family }) => ({
      family: family === 6 ? 6 : 4,
      ip: address,
      port,
    }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const known = code === "ENOTFOUND" || code === "EAI_NONAME";
    const why = known
      ? "there is no host of that name"
      : `its name can't be resolved now (${code})`;
    throw new StartError(`${formatHostPort(host, port)}: ${why}`);
  }
}

/** Where to bind so that all of these can be reached: IPv4 alone where that is enough. */
export function localBindHost(edges: readonly Address[]): string {
  return edges.some((edge) => edge.family === 6) ? "::" : "0.0.0.0";
}

/** Rises with each start: seconds of the wall clock, u32. */
export function bootEpoch(): number {
  return Math.floor(Date.now() / 1000) >>> 0;
}

/** Which hot path to use: the WASM, or its twin when `SHOAL_HOT_PATH=twin`. @throws StartError on other values. */
export function hotPathKind(): "wasm" | "twin" {
  const { SHOAL_HOT_PATH: kind = "wasm" } = process.env;
  if (kind === "wasm" || kind === "twin") return kind;
  throw new StartError(`SHOAL_HOT_PATH=${kind}: write wasm or twin`);
}
