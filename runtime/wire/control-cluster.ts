/**
 * What an edge of a cluster tells its publishers and viewers of the other edges (docs/WIRE.md §6); decoded as
 * control.ts decodes.
 */
import { type Address, addressBytes, addressFromBytes } from "./address.ts";
import type { Fields } from "./cbor.ts";
import { listOf } from "./control-swarm.ts";

/** Edges that one message may name. */
export const EDGES_LIST_MAX = 8;

export type ClusterMessage =
  /** Edge → member: where to turn when this edge dies, best first; replaces what was said before. */
  | { readonly t: "edges"; readonly list: readonly Address[] }
  /** Edge → member: this edge is going away; a session to one of these is to stand before this one is left. */
  | { readonly t: "move"; readonly list: readonly Address[] };

/** As plain CBOR fields: addresses as byte strings. */
export function clusterFields(message: ClusterMessage): Fields {
  return { t: message.t, list: message.list.map(addressBytes) };
}

export const clusterDecoders: Readonly<
  Record<ClusterMessage["t"], (fields: Fields) => ClusterMessage | undefined>
> = {
  edges(fields) {
    const list = listOf(fields["list"], EDGES_LIST_MAX, addressFromBytes);
    return list === undefined ? undefined : { t: "edges", list };
  },
  move(fields) {
    const list = listOf(fields["list"], EDGES_LIST_MAX, addressFromBytes);
    return list === undefined || list.length === 0 ? undefined : { t: "move", list };
  },
};
