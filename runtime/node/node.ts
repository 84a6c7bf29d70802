/**
 * The one contract of every role (publisher, edge, peer): no socket, no clock, no timer, no randomness of its own.
 * One mutation (`handleInput` or a command), then drain `pollOutput`, then sleep until `pollTimeout`. Two loops call
 * it: `io/driver.ts` over real sockets and `sim/` over a virtual network.
 */
import type { Ms } from "../base/time.ts";
import type { Output } from "../core/session/outbox.ts";
import type { Train } from "../core/session/train.ts";
import type { Address } from "../wire/address.ts";

export interface Node<Event> {
  handleInput(now: Ms, input: Input): void;
  /** The next thing to do, or undefined when drained. The object is reused: take what you need before the next call. */
  pollOutput(): Output<Event> | undefined;
  /**
   * The next thing to do if it is a train, as a whole; undefined otherwise. For drivers that can gather; to any other
   * `pollOutput` gives the same datagrams one by one.
   */
  pollTrain?(): Train | undefined;
  /** When to call `handleInput` with a timeout; `NEVER` when only input can wake the node. */
  pollTimeout(): Ms;
}

export type Input =
  | {
      readonly kind: "datagram";
      readonly from: Address;
      /** The datagram, or only its head when `slot` is given. Valid during the call. */
      readonly data: Uint8Array;
      /** A payload slot of this node's own hot path that holds the datagram's tail (simulator), else 0. */
      readonly slot: number;
      /** Of a node with several lines, the one it came in by (0 when absent). */
      readonly line?: number;
      /** Another datagram follows at once: what can be done once for all of them may wait for the last. */
      readonly hasMore?: boolean;
    }
  | { readonly kind: "timeout" };

export type { Output, Transmit } from "../core/session/outbox.ts";
export type { Train } from "../core/session/train.ts";

/** What the outside gives a node at birth. */
export interface NodeEnvironment {
  readonly hot: import("../core/hot-path/hot-path.ts").HotPath;
  /** Unpredictable on a real node (connection ids, cookies' secret); seeded in the simulator. */
  readonly random: import("../base/prng.ts").Random;
  /**
   * Rises with each start of the program (seconds of the wall clock do), u32: new encoder runs get epochs from
   * here on.
   */
  readonly bootEpoch: number;
}
