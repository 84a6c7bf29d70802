/**
 * An edge's ways to the world: for each of its lines a table of sessions, an uplink and a door for those who knock. An
 * edge that stands alone has one.
 */
import { AT_ONCE, type Ms, ms } from "../../base/time.ts";
import { Uplink } from "../../core/sending/uplink.ts";
import { Acceptor, type Admission } from "../../core/session/acceptor.ts";
import { NodeContext } from "../../core/session/node-context.ts";
import type { Outbox } from "../../core/session/outbox.ts";
import type { Session } from "../../core/session/session.ts";
import type { Address } from "../../wire/address.ts";
import type { ConnectPacket } from "../../wire/handshake.ts";
import type { NodeEnvironment } from "../node.ts";
import { FanRounds } from "./fan-round.ts";

export type AdmitOnLine = (
  now: Ms,
  line: number,
  from: Address,
  connect: ConnectPacket,
) => Admission;

export class EdgeLines {
  readonly contexts: readonly [NodeContext, ...NodeContext[]];
  /** What is to be pushed in this turn. */
  readonly rounds: FanRounds;
  readonly #acceptors: readonly Acceptor[];
  /** By which door somebody came who has to wait for an answer. */
  readonly #doors = new WeakMap<ConnectPacket, Acceptor>();

  constructor(env: NodeEnvironment, outbox: Outbox<unknown>, count: number, admit: AdmitOnLine) {
    const unlimited = Number.POSITIVE_INFINITY;
    const open = (line: number): NodeContext => {
      const uplink = new Uplink({ rateBpsInitial: unlimited, rateBpsMax: unlimited });
      return new NodeContext(env.hot, env.random, outbox, uplink, line);
    };
    this.contexts = [open(0), ...Array.from({ length: count - 1 }, (_, i) => open(i + 1))];
    this.rounds = new FanRounds(this.contexts);
    this.#acceptors = this.contexts.map((context, line) => {
      const acceptor: Acceptor = new Acceptor(context, (now, from, connect) => {
        this.#doors.set(connect, acceptor);
        return admit(now, line, from, connect);
      });
      return acceptor;
    });
  }

  /** A datagram of an established session. */
  handleDatagram(now: Ms, line: number, from: Address, data: Uint8Array, slot: number): void {
    this.contexts[line]?.handleDatagram(now, from, data, slot);
  }

  /** A datagram of somebody who wants in. */
  handleHandshake(now: Ms, line: number, from: Address, data: Uint8Array): void {
    this.#acceptors[line]?.handleDatagram(now, from, data);
  }

  /** What was put off is asked again. */
  decide(now: Ms, from: Address, connect: ConnectPacket): void {
    this.#doors.get(connect)?.decide(now, from, connect);
  }

  handleTimeouts(now: Ms): void {
    this.rounds.run(now);
    for (const context of this.contexts) context.handleTimeouts(now);
  }

  nextTimeout(): Ms {
    if (this.rounds.isDue) return AT_ONCE;
    let at = Number.POSITIVE_INFINITY;
    for (const context of this.contexts) at = Math.min(at, context.nextTimeout());
    return ms(at);
  }

  finish(now: Ms): void {
    for (const context of this.contexts) context.finish(now);
  }

  *sessions(): Generator<Session> {
    for (const context of this.contexts) yield* context.sessions();
  }

  get sessionCount(): number {
    return this.contexts.reduce((sum, { sessionCount }) => sum + sessionCount, 0);
  }

  get datagramsRefused(): number {
    return this.contexts.reduce((sum, context) => sum + context.datagramsRefused, 0);
  }

  get handshakesRefused(): number {
    return this.#acceptors.reduce((sum, acceptor) => sum + acceptor.handshakesRefused, 0);
  }
}
