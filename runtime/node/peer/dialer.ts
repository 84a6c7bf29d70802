/**
 * Connecting to other peers: one attempt at a time for each node, with the ticket that the edge gave for it, at all the
 * addresses it may have. What becomes of an attempt is the peer's business.
 */
import { type Ms, ms, NEVER } from "../../base/time.ts";
import { Connector, type ConnectResult } from "../../core/session/connector.ts";
import type { NodeContext } from "../../core/session/node-context.ts";
import { ACK_PEER, type SessionHost } from "../../core/session/session.ts";
import type { Address } from "../../wire/address.ts";
import type { ConnectParams } from "../../wire/handshake.ts";
import type { PeerRef } from "../../wire/swarm.ts";
import { nodeKey } from "../edge-swarm/member.ts";

/** How often a CONNECT is repeated. */
const ATTEMPTS_MAX = 3;

export class Dialer {
  readonly #context: NodeContext;
  readonly #host: SessionHost;
  readonly #attempts = new Map<string, Connector>();

  constructor(context: NodeContext, host: SessionHost) {
    this.#context = context;
    this.#host = host;
  }

  /** Attempts under way. */
  get size(): number {
    return this.#attempts.size;
  }

  /** Takes the place of an attempt at the same node. */
  dial(
    now: Ms,
    ref: PeerRef,
    params: ConnectParams,
    done: (now: Ms, result: ConnectResult) => void,
  ): void {
    const key = nodeKey(ref.node);
    this.#attempts.get(key)?.cancel();
    const connector = new Connector(this.#context, now, {
      to: ref.addresses,
      ticket: ref.ticket,
      attemptsMax: ATTEMPTS_MAX,
      host: this.#host,
      ack: ACK_PEER,
      params: () => params,
      done: (at, result) => {
        this.#attempts.delete(key);
        done(at, result);
      },
    });
    this.#attempts.set(key, connector);
  }

  nextTimeout(): Ms {
    let next = NEVER;
    for (const each of this.#attempts.values()) next = ms(Math.min(next, each.nextTimeout()));
    return next;
  }

  handleTimeout(now: Ms): void {
    for (const [key, connector] of this.#attempts) {
      connector.handleTimeout(now);
      if (connector.nextTimeout() === NEVER) this.#attempts.delete(key);
    }
  }

  /** Takes an answer to an attempt; false when it is to none. */
  handleDatagram(now: Ms, from: Address, data: Uint8Array): boolean {
    for (const connector of this.#attempts.values()) {
      if (connector.handleDatagram(now, from, data)) return true;
    }
    return false;
  }

  close(): void {
    for (const connector of this.#attempts.values()) connector.cancel();
    this.#attempts.clear();
  }
}
