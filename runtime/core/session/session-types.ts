/**
 * What a session and its surroundings say to each other: how often it acknowledges, who hears of what comes in, where
 * fragments go and come from.
 */
import type { Ms } from "../../base/time.ts";
import type { CloseCode } from "../../wire/close-code.ts";
import type { ControlMessage } from "../../wire/control.ts";
import type {
  AnswerPacket,
  ClockEntry,
  FeedbackEntry,
  RequestPacket,
} from "../../wire/feedback.ts";
import type { FragmentHeader } from "../../wire/packet.ts";
import type { MapPacket, ReportPacket } from "../../wire/swarm.ts";
import type { Session } from "./session.ts";

/** What the hot path's window remembers a packet as. */
export const PacketKind = { fragment: 1, bundle: 2, control: 3, probe: 4 } as const;

/** How a session keeps its other side informed: high-rate paths, and the many thin ones among peers. */
export interface AckProfile {
  readonly delayMs: number;
  readonly everyPackets: number;
  /** First pings, ms since the session stands, so that the clock is known before the first frame is due. */
  readonly pingStartMs: readonly number[];
  /** Between two pings from then on; at once so slow when the clock is known among peers, who need the RTT only. */
  readonly pingMs: number;
  /** Nothing sent for this long: a PING keeps addresses open and the other side sure of us. */
  readonly keepaliveMs: number;
  /**
   * Who repairs pushed fragments: the sender by its ACKs, or the receiver by asking (among peers, where a sender has a
   * packet each 120 ms and the receiver sees the gap in all its sub-streams together long before an ACK could tell).
   */
  readonly repairs: "sender" | "receiver";
  /** After a gap the path counts as lossy for this long, and each ACK is said again, `delayMs` later. */
  readonly repeatForMs: number;
}
export const ACK_FAST: AckProfile = {
  delayMs: 10,
  everyPackets: 8,
  pingStartMs: [0, 60, 140, 300],
  pingMs: 2000,
  keepaliveMs: 1000,
  repairs: "sender",
  repeatForMs: 1000,
};
/** Of a viewer to its edge. That pushes it a part of the stream, as a rule: an ACK is about as frequent as a packet. */
export const ACK_VIEWER: AckProfile = { ...ACK_FAST, repeatForMs: 250 };
export const ACK_PEER: AckProfile = {
  delayMs: 1000,
  everyPackets: 32,
  pingStartMs: [0, 250, 750],
  pingMs: 20_000,
  keepaliveMs: 1400,
  repairs: "receiver",
  repeatForMs: 0,
};

/** Between edges, where the mesh pings by itself (mesh-link.ts). */
export const ACK_EDGE: AckProfile = { ...ACK_FAST, delayMs: 5 };

/** Between two ACKs that hurry (`hastenAck`) at least. */
export const ACK_HASTE_MS = 400;
/** An ACK that tells of a gap, or goes over a lossy path, is said again so often. */
export const ACK_REPEATS = 1;
/** Nothing heard for this long: the other side is gone. */
export const DEAD_MS = 3000;
/** An answer to a PING older than this says nothing about the clock. */
export const PONG_AGE_MS = 5000;

export interface SessionHost {
  handleControl(now: Ms, session: Session, message: ControlMessage): void;
  handleFeedback(now: Ms, session: Session, entry: FeedbackEntry): void;
  handleClock(now: Ms, session: Session, entry: ClockEntry): void;
  handleRequest(now: Ms, session: Session, request: RequestPacket): void;
  handleAnswer(now: Ms, session: Session, answer: AnswerPacket): void;
  handleMap(now: Ms, session: Session, map: MapPacket): void;
  handleReport(now: Ms, session: Session, report: ReportPacket): void;
  /** A PING sent by `sendPing` was answered after `rttMs`. */
  handlePong?(now: Ms, session: Session, number: number, rttMs: number): void;
  /** The session is over: by the other side's CLOSE, its silence, or its fault. Not called for our own `close`. */
  handleClosed(now: Ms, session: Session, code: CloseCode, detail: string): void;
}

/** Where the fragments of one stream index go. The body is `data[at..end)`, or lies in `slot` when that is not 0. */
export interface StreamSink {
  handleFragment(
    now: Ms,
    session: Session,
    header: FragmentHeader,
    data: Uint8Array,
    at: number,
    end: number,
    slot: number,
  ): void;
}

/** Where `sendFragment` finds payloads: the hot-path store behind one of our outgoing stream indices. */
export interface StreamSource {
  readonly store: number;
}

export interface SessionIds {
  readonly localHi: number;
  readonly localLo: number;
  readonly remoteHi: number;
  readonly remoteLo: number;
}

export interface BundledFragment {
  readonly stream: number;
  readonly number: number;
  readonly attempt: number;
  /** UDP payload bytes it would take alone. */
  readonly bytes: number;
}
