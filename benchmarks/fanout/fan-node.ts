/**
 * The edge's fan-out and nothing around it: sessions without handshakes, a store, and frames that go to a share of the
 * receivers at a time, fragment by fragment, as an outlet passes them on (runtime/node/edge/outlet.ts).
 */
import { assert } from "../../runtime/base/assert.ts";
import { type Ms, ms } from "../../runtime/base/time.ts";
import { SendClass } from "../../runtime/core/sending/send-queue.ts";
import { Uplink } from "../../runtime/core/sending/uplink.ts";
import { NodeContext } from "../../runtime/core/session/node-context.ts";
import { Outbox } from "../../runtime/core/session/outbox.ts";
import { ACK_FAST, type Session, type SessionHost } from "../../runtime/core/session/session.ts";
import type { Input, Node, NodeEnvironment, Output } from "../../runtime/node/node.ts";
import type { Address } from "../../runtime/wire/address.ts";

export const BODY_BYTES = 1152;
const STREAM = 1;
const STORE_CAPACITY = 4096;
const DEADLINE_MS = 1000;
const FLAGS = 3;
const UNLIMITED = {
  rateBpsInitial: Number.POSITIVE_INFINITY,
  rateBpsMax: Number.POSITIVE_INFINITY,
};

export class FanNode implements Node<never>, SessionHost {
  readonly #env: NodeEnvironment;
  readonly #outbox: Outbox<never>;
  readonly #context: NodeContext;
  readonly #sessions: Session[] = [];
  readonly #store: number;
  #next = 0;
  mediaBytes = 0;
  closed = 0;

  constructor(env: NodeEnvironment, now: Ms, receivers: number, addresses: readonly Address[]) {
    this.#env = env;
    this.#outbox = new Outbox(env.hot);
    this.#context = new NodeContext(env.hot, env.random, this.#outbox, new Uplink(UNLIMITED));
    this.#store = env.hot.storeOpen(STORE_CAPACITY);
    for (let i = 0; i < receivers; i++) {
      const ids = { localHi: 1, localLo: i + 1, remoteHi: 2, remoteLo: i + 1 };
      const address = addresses[i % addresses.length] as Address;
      const session = this.#context.open(now, this, ids, address, ACK_FAST);
      assert(session !== undefined, "fan-out: no memory for a session");
      session.sources.set(STREAM, { store: this.#store });
      this.#sessions.push(session);
    }
  }

  /** A frame of `bytes` to the receivers whose number mod `shares` is `share`. */
  push(now: Ms, bytes: number, share: number, shares: number): void {
    const { hot } = this.#env;
    const total = Math.ceil(bytes / BODY_BYTES);
    const first = this.#next;
    this.#next = (first + total) >>> 0;
    for (let i = 0; i < total; i++) {
      const length = Math.min(BODY_BYTES, bytes - i * BODY_BYTES);
      const slot = hot.payloadAlloc(length);
      hot.fragmentInsert(this.#store, first + i, i, total, FLAGS, slot, now);
      hot.payloadRelease(slot);
      for (let at = share; at < this.#sessions.length; at += shares) {
        const { queue, isOpen } = this.#sessions[at] as Session;
        if (!isOpen) continue;
        const deadline = now + DEADLINE_MS;
        const { push } = SendClass;
        queue.enqueueFragment(now, STREAM, first + i, i, total, FLAGS, length, deadline, push);
        this.mediaBytes += length;
      }
    }
    this.#context.finish(now);
  }

  get resent(): number {
    return this.#sessions.reduce((sum, { packetsResent }) => sum + packetsResent, 0);
  }

  handleInput(now: Ms, input: Input): void {
    if (input.kind === "timeout") this.#context.handleTimeouts(now);
    else this.#context.handleDatagram(now, input.from, input.data, input.slot);
    this.#context.finish(now);
  }

  pollOutput(): Output<never> | undefined {
    return this.#outbox.poll() as Output<never> | undefined;
  }

  pollTimeout(): Ms {
    return this.#outbox.isEmpty ? this.#context.nextTimeout() : ms(0);
  }

  handleControl(): void {}
  handleFeedback(): void {}
  handleClock(): void {}
  handleRequest(): void {}
  handleAnswer(): void {}
  handleMap(): void {}
  handleReport(): void {}
  handleClosed(): void {
    this.closed++;
  }
}
