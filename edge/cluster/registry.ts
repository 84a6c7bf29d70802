/**
 * What the edges of a cluster know of each other lies in a registry: who is there (each with a lease that it renews
 * every second), who publishes which stream, what the links between them are like. Every edge keeps a copy of all of
 * it, so that the registry's loss changes nothing that is known. In memory for an edge by itself, in Redis for many.
 */
import type { EdgeLinks, LineFacts, LinkReport } from "../../runtime/node/mesh/mesh-api.ts";

/** An edge as it describes itself. */
export interface EdgeRecord {
  readonly edgeId: string;
  /** Different at each start: what an earlier run of the edge has claimed is void. */
  readonly bootId: string;
  readonly version: string;
  /** The first is where publishers and viewers turn to. */
  readonly lines: readonly LineFacts[];
  /** 0..1 of what it may carry, viewers or egress, whichever is nearer to its limit. */
  readonly load: number;
  readonly viewers: number;
  readonly maxViewers: number;
  /** Takes nobody new, and is about to end. */
  readonly isDraining: boolean;
  /** Streams it fetches from other edges. */
  readonly fetching: readonly string[];
  /** Wall clock at its start, ms since 1970. */
  readonly startedAtMs: number;
}

/** Who publishes a stream, and where. */
export interface StreamRecord {
  readonly stream: string;
  readonly edgeId: string;
  readonly bootId: string;
  /** The publisher's node id in hex: it may move with its stream to another edge, others may not take it. */
  readonly publisher: string;
  readonly epoch: number;
  /** Wall clock at the claim, ms since 1970. */
  readonly sinceMs: number;
}

export interface Snapshot {
  readonly edges: readonly EdgeRecord[];
  readonly streams: readonly StreamRecord[];
  readonly links: readonly EdgeLinks[];
  /** Another value tells that the registry has forgotten everything since. */
  readonly born: string;
}

export type ClaimResult =
  /** `epochMax`: the highest epoch the stream ever had, 0 when it is new. */
  | { readonly type: "mine"; readonly epochMax: number }
  | { readonly type: "taken"; readonly by: StreamRecord };

/** Every promise is rejected with `RegistryError` when the registry cannot be had; nothing is tried again by itself. */
export interface Registry {
  /** For people: "memory", or where it is, without a password. */
  readonly name: string;
  /** Renews the edge's lease, tells what it is like, and gives everything there is. */
  beat(edge: EdgeRecord, links: readonly LinkReport[]): Promise<Snapshot>;
  /**
   * Takes a stream for one of an edge's publishers: granted when nobody has it, its holder's lease is over, or the same
   * publisher or the same edge holds it. Atomic: of two at once exactly one is granted.
   */
  claim(record: StreamRecord): Promise<ClaimResult>;
  /** Gives a stream back; nothing happens when somebody else has it by now. */
  release(record: StreamRecord): Promise<void>;
  /** The edge goes: its lease and all it has claimed end at once. */
  leave(edgeId: string, bootId: string): Promise<void>;
  /** Calls `listener` soon after another edge comes, goes, claims or releases; lossy. */
  onChange(listener: () => void): void;
  close(): void;
}

/** The registry cannot be had. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
}

/** A lease not renewed for so long is over. */
export const LEASE_MS = 3000;
/** An edge renews its lease this often. */
export const BEAT_MS = 1000;
/** The highest epoch of a stream is remembered for a day after its last claim. */
export const EPOCH_KEEP_MS = 86_400_000;
