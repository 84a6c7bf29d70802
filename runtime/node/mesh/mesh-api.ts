/**
 * What an edge and whoever runs it say to each other about the other edges (DESIGN §5): who there is and over which
 * lines they are reached, which streams begin elsewhere, what the links between the lines are like. Who fetches what
 * from whom is decided outside (`wantStream`); how the segments travel is decided here.
 */
import type { Ms } from "../../base/time.ts";
import type { Address } from "../../wire/address.ts";

/** One network attachment of an edge; its place in `lines` is the `line` of datagrams (node.ts). */
export interface LineFacts {
  /** Unique at its edge, ≤ 64 characters. */
  readonly lineId: string;
  /** Where the others reach it. */
  readonly address: Address;
  /** Name of the ISP, "bgp" or the like where it is well connected to all. For people; the router measures. */
  readonly isp: string;
  readonly capacityMbps: number;
  /** What a byte costs here, relative: 1 is a cheap single-ISP line; > 0. */
  readonly costWeight: number;
  /** Paid for whether used or not, Mbit/s; up to there a further byte is cheaper. 0 = none. */
  readonly commitMbps: number;
}

/** An edge as the others know it. */
export interface EdgeFacts {
  /** ≤ 64 characters, unique in the cluster. */
  readonly edgeId: string;
  /** 1..8 */
  readonly lines: readonly LineFacts[];
  /** 0..1 of what it may carry; an edge at 1 relays nothing for others. */
  readonly load: number;
}

export interface MeshOptions {
  readonly edgeId: string;
  /** Proved over a cookie, never sent; ≥ 16 characters. */
  readonly secret: string;
  readonly lines: readonly LineFacts[];
  /** 1 = every stream on one direct path; 0 = as many as pay, relays included. */
  readonly paths: 0 | 1;
  /** Makes `segment` events, for measuring. */
  readonly isTraced?: boolean;
}

/** One pair of lines as the edge at its beginning measures it. */
export interface LinkReport {
  readonly fromLineId: string;
  readonly toEdgeId: string;
  readonly toLineId: string;
  /** Smoothed round trip and its mean deviation, ms. */
  readonly rttMs: number;
  readonly jitterMs: number;
  /** One way, 0..1. */
  readonly loss: number;
  /** What can be sent over it at present, all together. */
  readonly usableKbps: number;
  /** What is being sent over it. */
  readonly usedKbps: number;
  readonly isUp: boolean;
}

/** What one edge reports of its links. */
export interface EdgeLinks {
  readonly edgeId: string;
  readonly links: readonly LinkReport[];
}

export type MeshEvent =
  /** About once a second, all links. */
  | { readonly type: "linkReport"; readonly links: readonly LinkReport[] }
  /** Another edge takes a stream from here, or no longer does. */
  | { readonly type: "streamSubscribed"; readonly stream: string; readonly edgeId: string }
  | { readonly type: "streamUnsubscribed"; readonly stream: string; readonly edgeId: string }
  /**
   * A stream wanted from `edgeId` does not come from there: it says it has none, or cannot be reached. It stays
   * wanted and goes on being asked for; said again after 1 s at the earliest.
   */
  | {
      readonly type: "streamMissing";
      readonly stream: string;
      readonly edgeId: string;
      readonly reason: string;
    }
  /** A session between two lines stands, or no longer does. */
  | {
      readonly type: "link";
      readonly edgeId: string;
      readonly fromLineId: string;
      readonly toLineId: string;
      readonly isUp: boolean;
      readonly reason: string;
    }
  /** A path was left or taken; `text` says why. */
  | {
      readonly type: "route";
      readonly stream: string;
      readonly edgeId: string;
      readonly text: string;
    }
  /** Traced: every fragment of the segment that begins with fragment `first` is here. */
  | {
      readonly type: "segment";
      readonly stream: string;
      readonly epoch: number;
      readonly first: number;
    };

/** How one stream travels to one edge. */
export interface RouteText {
  readonly stream: string;
  readonly edgeId: string;
  /** This edge only passes it on. */
  readonly isRelay: boolean;
  /** Sent for the first time, sent again, and sent twice since it was about to be late; since it began. */
  readonly fragments: number;
  readonly repaired: number;
  readonly doubled: number;
  readonly kbps: number;
  /** A line for each path: taken, spare or left aside, its figures, and why. */
  readonly lines: readonly string[];
}

/** Commands of an edge that is one of many; without `EdgeOptions.mesh` they do nothing. */
export interface MeshCommands {
  /** All other members known at present. Who is no longer among them is left. */
  setEdges(now: Ms, edges: readonly EdgeFacts[]): void;
  /** What the others report of their links. */
  setLinkReports(now: Ms, table: readonly EdgeLinks[]): void;
  /** Fetches a stream from an edge that has it; again with another edge: from there from now on. */
  wantStream(now: Ms, stream: string, fromEdgeId: string): void;
  dropStream(now: Ms, stream: string): void;
  /** How streams travel from here, and why. */
  explainRoutes(now: Ms): readonly RouteText[];
}
