/**
 * What an edge and whoever runs it say to each other about the other edges of its cluster, beside how streams travel
 * between them: who may publish here, who is sent elsewhere, what is missing.
 */
import type { Ms } from "../base/time.ts";
import type { Address } from "../wire/address.ts";

/** What an edge asks whoever knows the other edges, before it answers a CONNECT. */
export interface ClusterHooks {
  /** A stream is live somewhere, whatever this edge's own configuration says of it. */
  knows(stream: string): boolean;
  /**
   * Whether `publisher` (its node id in hex) may publish `stream` here: yes, not known yet (`settleClaim` follows), or
   * another edge has it.
   */
  claim(
    stream: string,
    publisher: string,
    epoch: number,
  ): "mine" | "later" | { readonly by: string };
  /** Edges that should take it instead, if any; `isForced`: this one can't. */
  redirect(
    role: "publisher" | "viewer",
    stream: string,
    isForced: boolean,
  ): { readonly to: readonly Address[]; readonly why: string } | undefined;
}

/** Streams by what they are to an edge. */
export interface StreamPresence {
  /** Those with a publisher here, or one that may come back to its run. */
  readonly published: readonly string[];
  /** Those that somebody here waits for or watches, and nobody publishes here. */
  readonly wanted: readonly string[];
}

/** Commands of an edge that is one of many. */
export interface ClusterCommands {
  /** The other edges that would take viewers and publishers: members turn to them when this edge dies. */
  setOthers(now: Ms, others: readonly Address[]): void;
  /** Asks `max` more of the members to go to the others, without a gap; gives how many members there still are. */
  moveAway(now: Ms, max: number): number;
  /** What `ClusterHooks.claim` called "later" is known now. */
  settleClaim(now: Ms, stream: string): void;
  /**
   * The stream's publisher has been taken by another edge: the same one ("moved": the run goes on there), or another
   * one was first ("lost": the publisher is told so).
   */
  yieldStream(now: Ms, stream: string, how: "moved" | "lost", detail: string): boolean;
  presence(): StreamPresence;
}
