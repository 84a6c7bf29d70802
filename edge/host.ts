/** What the edge's programs (HTTP, RTMP) need of the run loop: the node, its clock, and a way to command it. */
import type { Ms } from "../runtime/base/time.ts";
import type { EdgeCommands } from "../runtime/node/api.ts";

export interface EdgeHost {
  readonly edge: EdgeCommands;
  /** The node's clock. */
  now(): Ms;
  /** Gives the edge a command and lets the loop act on what it puts out. */
  command<T>(action: (edge: EdgeCommands, now: Ms) => T): T;
  /** How datagrams leave, socket by socket: that of [udp] first, then those of further lines. */
  sockets(): readonly SocketFacts[];
}

export interface SocketFacts {
  /** Kernel segmenting, or what the runtime offers (io/bind-udp.ts). */
  readonly sendsBy: "segments" | "many";
  /** Not sent: the socket's buffer and what is kept behind it were full. */
  readonly datagramsDropped: number;
}
