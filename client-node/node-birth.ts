/**
 * What a node of this program is born with: addresses of the edge, a local address to bind, the
 * boot epoch.
 */
import { lookup } from "node:dns/promises";
import { bindUdp } from "../runtime/io/bind-udp.ts";
import type { UdpSocket } from "../runtime/io/udp.ts";
import type { Address } from "../runtime/wire/address.ts";
import { type EdgeName, formatHostPort } from "./arguments.ts";

/** Something outside failed before it began; the message is the one line to print. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/** Addresses of one host tried at most. */
const ADDRESSES_MAX = 8;

/**
 * The edge's addresses, IPv4 first: they are tried one after the other, and an edge that listens on
 * IPv4 alone, as most do, would be found late behind an IPv6 address that does not answer. @throws
 * StartError when the name has none.
 */
export async function resolveEdge(host: string, port: number): Promise<Address[]> {
  try {
    const found = await lookup(host, { all: true, verbatim: true });
    found.sort((a, b) => a.family - b.family);
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

/**
 * The addresses of several edges, in their order; a name that has none is passed over while another has. @throws
 * StartError when none has any.
 */
export async function resolveEdges(edges: readonly EdgeName[]): Promise<Address[]> {
  const found: Address[] = [];
  let failure: unknown;
  for (const { host, port } of edges) {
    try {
      found.push(...(await resolveEdge(host, port)));
    } catch (error) {
      failure = error;
    }
  }
  if (found.length === 0) throw failure;
  return found;
}

/**
 * A UDP socket that reaches all of these: IPv4 alone where that is enough or all there is. @throws
 * StartError
 */
export async function bindFor(edges: readonly Address[]): Promise<UdpSocket> {
  const hosts = edges.some((edge) => edge.family === 6) ? ["::", "0.0.0.0"] : ["0.0.0.0"];
  let why = "";
  for (const host of hosts) {
    try {
      return await bindUdp({ host, port: 0 });
    } catch (error) {
      why = (error as Error).message;
    }
  }
  throw new StartError(`no UDP socket can be had: ${why}`);
}

/** Rises with each start: seconds of the wall clock, u32. */
export function bootEpoch(): number {
  return Math.floor(Date.now() / 1000) >>> 0;
}

/**
 * Which hot path to use: the WASM, or its twin when `SHOAL_HOT_PATH=twin`. @throws StartError on
 * other values.
 */
export function hotPathKind(): "wasm" | "twin" {
  const { SHOAL_HOT_PATH: kind = "wasm" } = process.env;
  if (kind === "wasm" || kind === "twin") return kind;
  throw new StartError(`SHOAL_HOT_PATH=${kind}: write wasm or twin`);
}
