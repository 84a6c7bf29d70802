/**
 * What the programs see of the three roles: options in, events out, figures to show. The classes are `Publisher`
 * (publisher.ts), `Edge` (edge.ts) and `Peer` (peer.ts), each a `Node` of node.ts with the commands listed here.
 */
import type { Ms } from "../base/time.ts";
import type { Scorer, ScorerKind } from "../score/scorer.ts";
import type { Address } from "../wire/address.ts";
import type { MediaFrame } from "../wire/frame.ts";
import type { ClusterHooks } from "./cluster-api.ts";
import type { MeshEvent, MeshOptions } from "./mesh/mesh-api.ts";
import type { Node } from "./node.ts";
import type { SwarmParams } from "./swarm-params.ts";

/** Why a session was refused or closed: the codes of docs/WIRE.md §5 by name. */
export type CloseReason =
  | "done"
  | "wrong key"
  | "unknown stream"
  | "stream busy"
  | "overloaded"
  | "shutting down"
  | "protocol violation"
  | "bad request"
  | "timeout"
  | "not wanted"
  | "version"
  | "moved";

export type LinkEvent =
  /** A session to the edge stands. */
  | { readonly type: "connected"; readonly to: Address; readonly rttMs: number }
  /** It could not be had; tried again after `retryMs` unless `final`. */
  | {
      readonly type: "refused";
      readonly reason: CloseReason;
      readonly detail: string;
      readonly retryMs: number;
      readonly final: boolean;
    }
  /** It was lost or closed by the other side; being tried again unless `final`. */
  | {
      readonly type: "disconnected";
      readonly reason: CloseReason;
      readonly detail: string;
      readonly final: boolean;
    };

/* ------------------------------------------------------------------ publisher */

export interface PublisherOptions {
  /** Edges to try, in order. */
  readonly edges: readonly Address[];
  /** `live/<name>` */
  readonly stream: string;
  readonly key: string;
  /** Time to live of a frame on the way to the edge before it is dropped, ms; default 1000. */
  readonly budgetMs?: number;
  readonly agent: string;
}

export type PublisherEvent =
  | LinkEvent
  | { readonly type: "warning"; readonly code: string; readonly text: string }
  /** After `close`: what was pushed has arrived or had its time, and goodbye is said. */
  | { readonly type: "closed" };

export interface PublisherStats {
  readonly stream: string;
  readonly epoch: number;
  readonly framesAccepted: number;
  readonly framesDropped: number;
  readonly link: LinkStats | null;
}

export interface PublisherCommands extends Node<PublisherEvent> {
  /** Takes one frame from the encoder; its capture time is `now`. */
  push(now: Ms, frame: MediaFrame): void;
  /** The encoder starts over (reconnect, timestamps jump back): a new epoch. */
  newEpoch(now: Ms): void;
  /** Takes no more frames; says goodbye (`closed`) once those it took have arrived or 1 s on. Again: at once. */
  close(now: Ms): void;
  readonly isClosed: boolean;
  stats(now: Ms): PublisherStats;
}

/* ------------------------------------------------------------------ edge */

export interface EdgeOptions {
  /** The key a publisher of `stream` must prove, or undefined when the stream may not be published here. */
  readonly keyOf: (stream: string) => string | undefined;
  readonly maxViewers: number;
  /** Streams published at once; further ones are refused as overloaded. Not limited when absent. */
  readonly maxPublishers?: number;
  /** How many viewers a stream may have at present, if that is limited. */
  readonly maxViewersOf?: (stream: string) => number | undefined;
  /** What the edge may send to viewers in all, bit/s; not limited when absent. */
  readonly maxEgressBps?: number | undefined;
  /** Keeps every stream's last `retainMs` (5000), and its group of pictures up to `groupMsMax` (12000). */
  readonly retainMs: number;
  readonly groupMsMax: number;
  readonly agent: string;
  /** ISP/region of an address by the operator's table, 1..65535; 0 = unknown. */
  readonly regionOf?: (ip: string) => number;
  /** The swarm's parameters; SWARM_PARAMS by default. */
  readonly swarm?: SwarmParams;
  /** The other edges' part in who gets in; absent at an edge by itself. */
  readonly cluster?: ClusterHooks;
  /** One of several edges: its lines, and how it is known to the others. */
  readonly mesh?: MeshOptions;
}

export type EdgeEvent =
  | MeshEvent
  | {
      readonly type: "streamStarted";
      readonly stream: string;
      readonly epoch: number;
      readonly from: string;
    }
  | {
      readonly type: "streamEnded";
      readonly stream: string;
      readonly epoch: number;
      readonly reason: CloseReason;
    }
  | { readonly type: "viewerJoined"; readonly stream: string; readonly from: string }
  | {
      readonly type: "viewerLeft";
      readonly stream: string;
      readonly from: string;
      readonly reason: CloseReason;
    }
  | {
      readonly type: "refused";
      readonly from: string;
      readonly stream: string;
      readonly reason: CloseReason;
      readonly detail: string;
    }
  /** A viewer was recruited to push to others, or no longer does. */
  | {
      readonly type: "superNode";
      readonly stream: string;
      readonly from: string;
      readonly change: "came" | "went";
    }
  /** A whole frame of a stream, in order, as soon as it is complete: for HTTP-FLV and recording. */
  | {
      readonly type: "frame";
      readonly stream: string;
      readonly epoch: number;
      readonly frame: MediaFrame;
      readonly groupStart: boolean;
    };

/** A publisher in the edge's own process (its RTMP listener). */
export interface LocalPublisher {
  push(now: Ms, frame: MediaFrame): void;
  end(now: Ms): void;
}

export interface EdgeStreamStats {
  readonly name: string;
  readonly epoch: number;
  readonly publisher: string;
  readonly sinceMs: number;
  readonly viewers: number;
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly bitrateKbps: number;
  readonly groupMs: number;
  readonly bufferedBytes: number;
  readonly packetsLost: number;
  readonly packetsResent: number;
  readonly framesDropped: number;
  readonly swarm: EdgeSwarmStats;
}

/** What the viewers carry of a stream. */
export interface EdgeSwarmStats {
  /** Peers that push sub-streams on, and the slots they hold. */
  readonly superNodes: number;
  readonly slots: number;
  /** Slots opened, and those taken away again for want of demand. */
  readonly recruits: number;
  readonly reliefs: number;
  /** What the viewers needed: media received times those watching. Without peers all of it would be egress. */
  readonly demandBytes: number;
  /** Both as they are now: everything sent to viewers, and their demand. */
  readonly egressKbps: number;
  readonly demandKbps: number;
}

export interface EdgeStats {
  readonly sessions: number;
  readonly viewers: number;
  readonly publishers: number;
  readonly datagramsIn: number;
  readonly datagramsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Datagrams that were garbage, of no session, or against the protocol. */
  readonly datagramsRefused: number;
  readonly handshakesRefused: number;
  readonly payloadBytesUsed: number;
  readonly payloadBytesTotal: number;
}

export interface EdgeCommands extends Node<EdgeEvent> {
  /** A stream published in this process. Throws nothing: a refusal says why ("stream busy" when another holds it). */
  publishLocal(
    now: Ms,
    stream: string,
    from: string,
  ): LocalPublisher | { readonly refused: CloseReason };
  /** Frames of the current group so far, configurations first: what a new HTTP-FLV viewer is sent. */
  currentGroup(stream: string): readonly MediaFrame[];
  /** Asks for `frame` events of a stream, counted; none are made while nobody asks. */
  watchFrames(stream: string, on: boolean): void;
  streams(now: Ms): readonly EdgeStreamStats[];
  stats(now: Ms): EdgeStats;
  /** Sessions of a stream, for the API: at most `limit`. */
  viewers(now: Ms, stream: string, limit: number): readonly LinkStats[];
  /** Drops the publisher of a stream, or a viewer by its address. Returns whether there was one. */
  kick(now: Ms, stream: string, from?: string): boolean;
  /** No new sessions from now on; `close` says goodbye to everybody. */
  drain(now: Ms): void;
  close(now: Ms): void;
}

/* ------------------------------------------------------------------ peer */

export interface PeerOptions {
  /** Edges to ask, in order. */
  readonly edges: readonly Address[];
  readonly stream: string;
  /** Play-out delay to start with, 800 ms, adapted between the bounds. */
  readonly targetMs: number;
  readonly targetMsMin: number;
  readonly targetMsMax: number;
  /** After a lost reference wait for the next key frame instead of handing on damaged frames. */
  readonly strict: boolean;
  /** Upload cap, bytes/s; 0 = consume only. */
  readonly uploadBytesPerSecondMax: number;
  readonly agent: string;
  /** On a connection that is paid by volume: consumes only. */
  readonly metered?: boolean;
  /** Addresses of its own (LAN, IPv6) that other peers may try. */
  readonly ownAddresses?: readonly Address[];
  /** The swarm's parameters; SWARM_PARAMS by default. */
  readonly swarm?: SwarmParams;
  /** How neighbours are judged: the trained network by default. */
  readonly scorer?: ScorerKind | Scorer;
  /** Share of a core this program uses, 0..1, as the system says. */
  readonly cpuShare?: () => number;
  /** Fragments one run of the stream may hold: a power of two, 8192 by default (12 s at 4 Mbit/s). */
  readonly fragmentsKept?: number;
}

export type PeerEvent =
  | LinkEvent
  /** A new encoder run: timestamps and configuration begin again. */
  | { readonly type: "epoch"; readonly epoch: number }
  /** A frame whose play time has come (or, `decodeOnly`, one needed to decode the first). */
  | {
      readonly type: "frame";
      readonly frame: MediaFrame;
      readonly epoch: number;
      /** Capture time of the frame in this node's clock. */
      readonly capturedAt: Ms;
      readonly decodeOnly: boolean;
      /** A frame it needs was lost. */
      readonly damaged: boolean;
    }
  | { readonly type: "skipped"; readonly frames: number }
  | { readonly type: "ended"; readonly epoch: number };

/** One session of a peer in its part of the swarm; a peer that feeds us and is fed by us stands twice. */
export interface PeerFeed {
  /** The edge and parents push to us, we push to children, neighbours answer each other's requests. */
  readonly role: "edge" | "parent" | "child" | "neighbour";
  readonly address: string;
  readonly agent: string;
  /** Pushed this way at present, of `PeerStats.subStreams`. */
  readonly subStreams: number;
  readonly rttMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface PeerStats {
  readonly stream: string;
  readonly state: "connecting" | "waiting" | "playing" | "ended";
  readonly epoch: number;
  readonly framesPlayed: number;
  readonly framesSkipped: number;
  readonly framesDamaged: number;
  readonly stalledMs: number;
  /** Capture → play-out at this node, ms, and its uncertainty (clock estimate). */
  readonly delayMs: number;
  readonly delayUncertaintyMs: number;
  readonly firstFrameMs: number;
  readonly phaseShare: {
    readonly push: number;
    readonly pull: number;
    readonly compensation: number;
  };
  /** Of the media that came in fresh, the share that the edge itself sent, pushed or asked for. */
  readonly edgeShare: number;
  /** Media sent to other peers. */
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  readonly bitrateKbps: number;
  readonly lossRate: number;
  readonly repairedFragments: number;
  readonly duplicateFragments: number;
  readonly neighbours: number;
  readonly superNode: boolean;
  /** Peers it pushes to, and peers that push to it (the edge not counted). */
  readonly children: number;
  readonly parents: number;
  /** K, and who pushes them to whom: the edge first, then parents, children, neighbours, at most 64. */
  readonly subStreams: number;
  readonly feeds: readonly PeerFeed[];
  /**
   * The play buffer: target, and the ages (ms) at which pull and compensation begin; fill is media ready ahead of
   * play.
   */
  readonly buffer: {
    readonly targetMs: number;
    readonly pullFromMs: number;
    readonly compensateFromMs: number;
    readonly fillMs: number;
    readonly holes: number;
  };
  readonly edge: LinkStats | null;
}

export interface PeerCommands extends Node<PeerEvent> {
  stats(now: Ms): PeerStats;
  close(now: Ms): void;
}

/* ------------------------------------------------------------------ shared */

/** One session as its owner sees it. */
export interface LinkStats {
  readonly address: string;
  readonly agent: string;
  readonly sinceMs: number;
  readonly rttMs: number;
  readonly lossRate: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly packetsLost: number;
  readonly packetsResent: number;
  /** What the sender may use at present, bit/s; 0 = not limited so far. */
  readonly rateBps: number;
  readonly queuedBytes: number;
}
