/**
 * What the run loop asks of a UDP socket, whoever provides it. Sending is batched, because one
 * system call for sixty datagrams costs little more than one for one. A send never fails towards
 * the caller: UDP may lose anything, so what the system refuses is counted and forgotten, and the
 * protocol above finds out as it does for any other loss.
 */
import type { HotPath } from "../core/hot-path/hot-path.ts";
import type { Train } from "../core/session/train.ts";
import type { Address } from "../wire/address.ts";
import type { DatagramBatch } from "./datagram-batch.ts";

export interface UdpSocket {
  /** Where it is bound; the port is the true one when 0 was asked for. */
  readonly localAddress: Address;
  readonly counters: UdpCounters;
  /** How it sends (bind-udp.ts). */
  readonly sendsBy: "segments" | "many";
  /** It takes trains as they are at present; when not (or absent), send their datagrams one by one. */
  readonly takesTrains?: boolean;
  /** Takes a train, if `takesTrains`; it leaves with `flushTrains` at the latest, before the node is called again. */
  addTrain?(train: Readonly<Train>, hot: HotPath): void;
  flushTrains?(): void;
  /** Hands over at once what has come in the meantime, where there is a way to; true when there may be more. */
  receiveNow?(): boolean;
  /**
   * Sends the batch's datagrams in order and empties the batch. What the system does not take now
   * is kept, at most `BACKLOG_DATAGRAMS_MAX`, and sent before anything newer once there is room.
   */
  send(batch: DatagramBatch): void;
  /**
   * Whom to tell of datagrams and errors. Datagrams that come before this is called are dropped.
   */
  onDatagrams(handler: DatagramHandler): void;
  /** Closes at once; what is still kept is not sent. Calling it again does nothing. */
  close(): void;
}

export interface DatagramHandler {
  /**
   * `data` belongs to the handler, but for what `receiveNow` hands over: that is valid during the call.
   * `hasMore`: another follows at once.
   */
  handleDatagram(from: Address, data: Uint8Array, hasMore?: boolean): void;
  /** The system reports trouble with the socket itself; it stays open. */
  handleError(error: Error): void;
}

export interface UdpCounters {
  datagramsIn: number;
  datagramsOut: number;
  /** Refused by the system (no route, wrong family, too long). */
  datagramsRefused: number;
  /** Dropped because the backlog was full. */
  datagramsDropped: number;
}

/** Datagrams kept while the system's send buffer is full: at 1,200 B each, 1.2 MB. */
export const BACKLOG_DATAGRAMS_MAX = 1024;

/**
 * Whether the system speaks of an earlier datagram, whose receiver's host answered by ICMP. On
 * Linux with IP_RECVERR (ip(7)), which Bun sets, such news fails the *next* send, to whomever that
 * goes: it deserves another try.
 */
export function isNewsOfEarlier(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return code === "ECONNREFUSED" || code === "EHOSTUNREACH" || code === "ENETUNREACH";
}

export function newUdpCounters(): UdpCounters {
  return { datagramsIn: 0, datagramsOut: 0, datagramsRefused: 0, datagramsDropped: 0 };
}
