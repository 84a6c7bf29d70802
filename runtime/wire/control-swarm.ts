/** The swarm's control messages (docs/WIRE.md §8), between an edge and its viewers; decoded as control.ts decodes. */
import { type Address, addressBytes, addressFromBytes as addressOf } from "./address.ts";
import { bytesField, type Fields, integerField } from "./cbor.ts";
import {
  decodePeerRef,
  encodePeerRef,
  NODE_BYTES,
  PEER_ADDRESSES_MAX,
  type PeerRef,
  TICKET_KEY_BYTES,
} from "./swarm.ts";

/** Sub-streams a mask can name. */
export const SUB_STREAMS_MAX = 32;
/** Entries of a list. */
export const SWARM_LIST_MAX = 32;

/** Who pushes the sub-streams of `mask`; without `peer` the edge itself. */
export interface ParentEntry {
  readonly mask: number;
  readonly peer?: PeerRef | undefined;
  /** The edge sends what lies before this fragment; absent = ask the parent for all that is missing. */
  readonly from?: number | undefined;
}

export type SwarmMessage =
  /** Edge → viewer: its ticket key, K, its region, and the address it is seen under. */
  | {
      readonly t: "welcome";
      readonly key: Uint8Array;
      readonly k: number;
      readonly region: number;
      readonly seen: Address;
    }
  /** Edge → viewer: parents of the sub-streams named; others stay as they are. */
  | { readonly t: "parents"; readonly list: readonly ParentEntry[] }
  /** Edge → viewer: whom it could have as neighbours. */
  | { readonly t: "peers"; readonly list: readonly PeerRef[] }
  /** Edge → viewer: these are about to CONNECT. */
  | { readonly t: "expect"; readonly list: readonly PeerRef[] }
  /** Edge → super node: the sub-streams it carries from now on, and how many children each. */
  | { readonly t: "recruit"; readonly mask: number; readonly children: number }
  /** Viewer → edge: these sub-streams have lost that parent; the first fragment of them that is missing. */
  | {
      readonly t: "orphan";
      readonly mask: number;
      readonly node: Uint8Array;
      readonly from?: number | undefined;
    }
  /** Viewer → edge: these sub-streams come from their parents now; push them no more. */
  | { readonly t: "release"; readonly mask: number }
  /** Viewer → edge: name me so many peers. */
  | { readonly t: "want"; readonly count: number }
  /** Viewer → edge: its own addresses. */
  | { readonly t: "here"; readonly at: readonly Address[] };

/** As plain CBOR fields: peers and addresses as byte strings. */
export function swarmFields(message: SwarmMessage): Fields {
  switch (message.t) {
    case "welcome":
      return { ...message, seen: addressBytes(message.seen) };
    case "parents":
      return {
        t: message.t,
        list: message.list.map(({ mask, peer, from }) => ({
          mask,
          ...(from === undefined ? {} : { from }),
          ...(peer === undefined ? {} : { peer: encodePeerRef(peer) }),
        })),
      };
    case "peers":
    case "expect":
      return { t: message.t, list: message.list.map(encodePeerRef) };
    case "here":
      return { t: message.t, at: message.at.map(addressBytes) };
    default:
      return { ...message };
  }
}

export const swarmDecoders: Readonly<
  Record<SwarmMessage["t"], (fields: Fields) => SwarmMessage | undefined>
> = {
  welcome(fields) {
    const key = bytesField(fields, "key", TICKET_KEY_BYTES);
    const k = integerField(fields, "k", 1, SUB_STREAMS_MAX);
    const region = integerField(fields, "region", 0, 0xffff);
    const seen = addressOf(fields["seen"]);
    if (key === undefined || k === undefined) return undefined;
    if (region === undefined || seen === undefined) return undefined;
    return { t: "welcome", key, k, region, seen };
  },
  parents(fields) {
    const list = listOf(fields["list"], SWARM_LIST_MAX, parentOf);
    return list === undefined ? undefined : { t: "parents", list };
  },
  peers(fields) {
    const list = listOf(fields["list"], SWARM_LIST_MAX, peerOf);
    return list === undefined ? undefined : { t: "peers", list };
  },
  expect(fields) {
    const list = listOf(fields["list"], SWARM_LIST_MAX, peerOf);
    return list === undefined ? undefined : { t: "expect", list };
  },
  recruit(fields) {
    const mask = maskOf(fields);
    const children = integerField(fields, "children", 0, 255);
    if (mask === undefined || children === undefined) return undefined;
    return { t: "recruit", mask, children };
  },
  orphan(fields) {
    const mask = maskOf(fields);
    const node = bytesField(fields, "node", NODE_BYTES);
    const from = integerField(fields, "from", 0, 0xffff_ffff);
    if (mask === undefined || node === undefined) return undefined;
    if (from === undefined && fields["from"] !== undefined) return undefined;
    return { t: "orphan", mask, node, from };
  },
  release(fields) {
    const mask = maskOf(fields);
    return mask === undefined ? undefined : { t: "release", mask };
  },
  want(fields) {
    const count = integerField(fields, "count", 1, SWARM_LIST_MAX);
    return count === undefined ? undefined : { t: "want", count };
  },
  here(fields) {
    const at = listOf(fields["at"], PEER_ADDRESSES_MAX - 1, addressOf);
    return at === undefined ? undefined : { t: "here", at };
  },
};

function maskOf(fields: Fields): number | undefined {
  return integerField(fields, "mask", 0, 0xffff_ffff);
}

function parentOf(value: unknown): ParentEntry | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const fields = value as Fields;
  const mask = maskOf(fields);
  const peer = fields["peer"] === undefined ? undefined : peerOf(fields["peer"]);
  const from = integerField(fields, "from", 0, 0xffff_ffff);
  if (mask === undefined || (peer === undefined && fields["peer"] !== undefined)) return undefined;
  if (from === undefined && fields["from"] !== undefined) return undefined;
  return peer === undefined ? { mask, from } : { mask, peer, from };
}

function peerOf(value: unknown): PeerRef | undefined {
  return value instanceof Uint8Array ? decodePeerRef(value) : undefined;
}

export function listOf<T>(
  value: unknown,
  max: number,
  decode: (entry: unknown) => T | undefined,
): T[] | undefined {
  if (!Array.isArray(value) || value.length > max) return undefined;
  const list: T[] = [];
  for (const entry of value) {
    const decoded = decode(entry);
    if (decoded === undefined) return undefined;
    list.push(decoded);
  }
  return list;
}
