/**
 * Two nodes around one session, without handshake or roles: the production Session, SendQueue, Uplink and hot path,
 * as a publisher and its edge have them. The sender pushes frames of whole fragments; the receiver acknowledges as on
 * a high-rate path and writes down what came when.
 */
import { assert } from "../../runtime/base/assert.ts";
import { type Ms, ms } from "../../runtime/base/time.ts";
import type { HotPath } from "../../runtime/core/hot-path/hot-path.ts";
import { type QueuedSegment, SendClass } from "../../runtime/core/sending/send-queue.ts";
import { Uplink } from "../../runtime/core/sending/uplink.ts";
import { NodeContext } from "../../runtime/core/session/node-context.ts";
import { Outbox } from "../../runtime/core/session/outbox.ts";
import { ACK_FAST, type Session, type SessionHost } from "../../runtime/core/session/session.ts";
import type { Input, Node, NodeEnvironment, Output } from "../../runtime/node/node.ts";
import type { Address } from "../../runtime/wire/address.ts";

export const BODY_BYTES = 1152;
const STREAM = 1;
const STORE_CAPACITY = 8192;
/** As the publisher starts (runtime/node/publisher.ts). */
const RATE_BPS_INITIAL = 20e6;

export const SENDER: Address = { family: 4, ip: "10.0.0.1", port: 1 };
export const RECEIVER: Address = { family: 4, ip: "10.0.0.2", port: 2 };
const IDS = { localHi: 1, localLo: 1, remoteHi: 2, remoteLo: 2 };

/** What both have in common: one session of a context. */
abstract class PairNode implements Node<never>, SessionHost {
  readonly session: Session;
  protected readonly hot: HotPath;
  protected readonly context: NodeContext;
  readonly #outbox: Outbox<never>;
  closed = "";

  constructor(env: NodeEnvironment, now: Ms, isSender: boolean) {
    this.hot = env.hot;
    this.#outbox = new Outbox(env.hot);
    const uplink = new Uplink({
      rateBpsInitial: RATE_BPS_INITIAL,
      rateBpsMax: Number.POSITIVE_INFINITY,
    });
    this.context = new NodeContext(env.hot, env.random, this.#outbox, uplink);
    const { localHi, localLo, remoteHi, remoteLo } = IDS;
    const ids = isSender
      ? IDS
      : { localHi: remoteHi, localLo: remoteLo, remoteHi: localHi, remoteLo: localLo };
    const address = isSender ? RECEIVER : SENDER;
    const session = this.context.open(now, this, ids, address, ACK_FAST);
    assert(session !== undefined, "pair: no memory for a session");
    this.session = session;
    this.context.finish(now);
  }

  handleInput(now: Ms, input: Input): void {
    if (input.kind === "timeout") this.context.handleTimeouts(now);
    else this.context.handleDatagram(now, input.from, input.data, input.slot);
    this.context.finish(now);
  }

  pollOutput(): Output<never> | undefined {
    return this.#outbox.poll() as Output<never> | undefined;
  }

  pollTimeout(): Ms {
    return this.#outbox.isEmpty ? this.context.nextTimeout() : ms(0);
  }

  handleControl(): void {}
  handleFeedback(): void {}
  handleClock(): void {}
  handleRequest(): void {}
  handleAnswer(): void {}
  handleMap(): void {}
  handleReport(): void {}
  handleClosed(_now: Ms, _session: Session, _code: number, detail: string): void {
    this.closed = detail;
  }
}

/** A frame to send; what it refers to is told by its distance in frames. */
export interface FrameSpec {
  readonly fragments: number;
  readonly lastBytes: number;
  /** Wire flags (priority, group start). */
  readonly flags: number;
  /** How many frames back the one lies that it needs; 0 = none. */
  readonly dependsOn: number;
}

export class PairSender extends PairNode {
  readonly #store: number;
  readonly #slots = new Map<number, number>();
  #sequence = 0;
  #next = 0;
  fragmentsPushed = 0;
  bytesPushed = 0;

  constructor(env: NodeEnvironment, now: Ms) {
    super(env, now, true);
    this.#store = env.hot.storeOpen(STORE_CAPACITY);
    this.session.sources.set(STREAM, { store: this.#store });
  }

  /** Pushes a frame; the number of its first fragment. */
  push(now: Ms, frame: FrameSpec, deadlineMs: number): number {
    const { fragments: total, lastBytes, flags, dependsOn } = frame;
    const first = this.#next;
    for (let i = 0; i < total; i++) {
      const bytes = i === total - 1 ? lastBytes : BODY_BYTES;
      this.hot.fragmentInsert(this.#store, first + i, i, total, flags, this.#slotOf(bytes), now);
      this.bytesPushed += bytes;
    }
    this.#next = (first + total) >>> 0;
    this.fragmentsPushed += total;
    const segment: QueuedSegment = {
      stream: STREAM,
      first,
      total,
      fragmentBytes: BODY_BYTES,
      lastBytes,
      flags,
      sequence: this.#sequence++,
      dependsOn,
      deadlineMs,
      sendClass: SendClass.push,
      subStreams: 1,
      mask: 1,
    };
    this.session.queue.enqueueSegment(now, segment);
    this.context.finish(now);
    return first;
  }

  /** All fragments of one length share a payload: nobody looks at it. */
  #slotOf(bytes: number): number {
    let slot = this.#slots.get(bytes);
    if (slot === undefined) {
      slot = this.hot.payloadAlloc(bytes);
      this.#slots.set(bytes, slot);
    }
    return slot;
  }

  /** Sent so far: packets with first sendings, and with repairs. */
  get resent(): number {
    return this.session.packetsResent;
  }

  /** Repairs of packets that had arrived. */
  get spurious(): number {
    return this.session.packetsSpurious;
  }
}

export class PairReceiver extends PairNode {
  /** Called for every fragment that comes, again ones too. */
  onFragment: (number: number) => void = () => {};

  constructor(env: NodeEnvironment, now: Ms) {
    super(env, now, false);
    this.session.sinks.set(STREAM, {
      handleFragment: (_now, _session, header) => this.onFragment(header.number),
    });
  }
}
