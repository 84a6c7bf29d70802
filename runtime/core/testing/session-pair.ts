/**
 * Two nodes that do nothing but hold sessions, on a virtual link: what the tests of handshake and session talk through.
 * Everything that leaves either of them is written down, and may be kept from leaving.
 */
import { type Ms, ms } from "../../base/time.ts";
import type { Input, Node, NodeEnvironment, Output } from "../../node/node.ts";
import { HostRole } from "../../sim/network/host-role.ts";
import { IDEAL, type LinkModel } from "../../sim/network/link.ts";
import { World, type WorldNode } from "../../sim/world.ts";
import { createHotPath } from "../../wasm/create.ts";
import type { Address } from "../../wire/address.ts";
import type { CloseCode } from "../../wire/close-code.ts";
import type { ControlMessage } from "../../wire/control.ts";
import type { ConnectPacket } from "../../wire/handshake.ts";
import { CONNECTED_FROM, type FragmentHeader } from "../../wire/packet.ts";
import type { InspectableHotPath } from "../hot-path/hot-path.ts";
import { SendClass } from "../sending/send-queue.ts";
import { Uplink } from "../sending/uplink.ts";
import { Acceptor, type Admission } from "../session/acceptor.ts";
import { Connector, type ConnectResult } from "../session/connector.ts";
import { NodeContext } from "../session/node-context.ts";
import { Outbox } from "../session/outbox.ts";
import { ACK_FAST, type AckProfile, type Session, type SessionHost } from "../session/session.ts";

export const ALICE: Address = { family: 4, ip: "10.0.0.1", port: 4000 };
export const BOB: Address = { family: 4, ip: "10.0.0.2", port: 4000 };
export const STREAM = 1;

export interface TalkerOptions {
  readonly ack?: AckProfile | undefined;
  readonly ticketKey?: Uint8Array;
  readonly admit?: (connect: ConnectPacket) => Admission | undefined;
}

/** Both sides of every kind of handshake, and a host that remembers. */
export class Talker implements Node<never>, SessionHost {
  readonly hot: InspectableHotPath;
  readonly outbox: Outbox<never>;
  readonly context: NodeContext;
  readonly acceptor: Acceptor;
  readonly node = new Uint8Array(8);
  connector: Connector | undefined;
  readonly results: ConnectResult[] = [];
  readonly sessions: Session[] = [];
  readonly messages: ControlMessage[] = [];
  readonly closed: { readonly code: CloseCode; readonly detail: string; readonly at: Ms }[] = [];
  /** Numbers of the fragments that came, in the order of their coming. */
  readonly fragments: number[] = [];
  readonly #ack: AckProfile;
  #store = 0;

  constructor(env: NodeEnvironment, options: TalkerOptions) {
    this.hot = env.hot as InspectableHotPath; /* made below */
    this.outbox = new Outbox(env.hot);
    const unlimited = Number.POSITIVE_INFINITY;
    const uplink = new Uplink({ rateBpsInitial: unlimited, rateBpsMax: unlimited });
    this.context = new NodeContext(env.hot, env.random, this.outbox, uplink);
    env.random.fill(this.node);
    this.#ack = options.ack ?? ACK_FAST;
    const ticketsOnly = options.ticketKey !== undefined;
    const admit = (_now: Ms, _from: Address, connect: ConnectPacket): Admission =>
      options.admit?.(connect) ?? {
        accept: { agent: "bob", node: this.node },
        host: this,
        ack: this.#ack,
        opened: (session) => this.sessions.push(session),
      };
    this.acceptor = new Acceptor(this.context, admit, { ticketsOnly });
    this.acceptor.ticketKey = options.ticketKey;
  }

  connect(now: Ms, to: readonly Address[], ticket?: Uint8Array): void {
    this.connector = new Connector(this.context, now, {
      to,
      ticket,
      host: this,
      ack: this.#ack,
      params: () => ({ role: "viewer", stream: "live/a", agent: "alice", node: this.node }),
      done: (_at, result) => {
        this.results.push(result);
        if (result.type === "open") this.sessions.push(result.session);
      },
    });
    this.context.finish(now);
  }

  get session(): Session {
    const session = this.sessions.at(-1);
    if (session === undefined) throw new Error("no session");
    return session;
  }

  /** Sends fragments [first, first + count) of one byte-filled stream, each a segment of its own. */
  push(now: Ms, first: number, count: number, bytes = 100): void {
    const { hot, session } = this;
    if (this.#store === 0) this.#store = hot.storeOpen(1024);
    session.sources.set(STREAM, { store: this.#store });
    for (let number = first; number < first + count; number++) {
      const slot = hot.payloadAlloc(bytes);
      hot.bytes.fill(number & 0xff, hot.payloadPtr(slot), hot.payloadPtr(slot) + bytes);
      hot.fragmentInsert(this.#store, number, 0, 1, 1, slot, now);
      hot.payloadRelease(slot);
      const by = now + 1000;
      session.queue.enqueueFragment(now, STREAM, number, 0, 1, 1, bytes, by, SendClass.push);
    }
    this.context.finish(now);
  }

  listen(): void {
    this.session.sinks.set(STREAM, {
      handleFragment: (_now, _session, header: FragmentHeader) => {
        this.fragments.push(header.number);
      },
    });
  }

  handleInput(now: Ms, input: Input): void {
    if (input.kind === "timeout") {
      this.context.handleTimeouts(now);
      this.connector?.handleTimeout(now);
    } else if ((input.data[0] ?? 0) >= CONNECTED_FROM) {
      this.context.handleDatagram(now, input.from, input.data, input.slot);
    } else if (this.connector?.handleDatagram(now, input.from, input.data) !== true) {
      this.acceptor.handleDatagram(now, input.from, input.data);
    }
    this.context.finish(now);
  }

  pollOutput(): Output<never> | undefined {
    return this.outbox.poll();
  }

  pollTimeout(): Ms {
    const connector = this.connector?.nextTimeout() ?? Number.POSITIVE_INFINITY;
    return ms(Math.min(this.context.nextTimeout(), connector));
  }

  handleControl(_now: Ms, _session: Session, message: ControlMessage): void {
    this.messages.push(message);
  }
  handleFeedback(): void {}
  handleClock(): void {}
  handleRequest(): void {}
  handleAnswer(): void {}
  handleMap(): void {}
  handleReport(): void {}
  handleClosed(now: Ms, _session: Session, code: CloseCode, detail: string): void {
    this.closed.push({ code, detail, at: now });
  }
}

export interface Sent {
  readonly from: "alice" | "bob";
  readonly to: Address;
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

export interface PairOptions extends TalkerOptions {
  readonly seed?: number;
  readonly link?: Partial<LinkModel>;
  /** True for what must not leave. */
  readonly drop?: (sent: Sent) => boolean;
}

export class Pair {
  readonly world: World;
  readonly alice: WorldNode<Talker>;
  readonly bob: WorldNode<Talker>;
  readonly sent: Sent[] = [];
  /** May be set while the world stands still. */
  drop: (sent: Sent) => boolean;

  constructor(options: PairOptions = {}) {
    this.drop = options.drop ?? (() => false);
    this.world = new World({ seed: options.seed ?? 1 });
    const link = { ...IDEAL, delayMs: 10, ...options.link };
    const add = (from: Sent["from"], address: Address, talker: TalkerOptions) => {
      const hot = createHotPath({ memoryMiB: 4 });
      const host = { address, up: link, down: IDEAL, region: 0, hot, role: HostRole.peer };
      return this.world.add<Talker>({
        host,
        clock: { offsetMs: 0, driftPpm: 0 },
        create: (env) => new Talker(env, talker),
        delayOf: ({ to, headPtr, headLength, slot }) => {
          const bytes = new Uint8Array(headLength + (slot === 0 ? 0 : hot.payloadLength(slot)));
          bytes.set(hot.bytes.subarray(headPtr, headPtr + headLength));
          if (slot !== 0) {
            const ptr = hot.payloadPtr(slot);
            bytes.set(hot.bytes.subarray(ptr, ptr + hot.payloadLength(slot)), headLength);
          }
          const sent = { from, to, bytes, atMs: this.world.nowMs };
          this.sent.push(sent);
          return this.drop(sent) ? Number.POSITIVE_INFINITY : 0;
        },
      });
    };
    this.alice = add("alice", ALICE, { ack: options.ack });
    this.bob = add("bob", BOB, options);
  }

  /** Alice connects to Bob, and a moment passes. */
  open(forMs = 1000): this {
    this.alice.command((alice, now) => alice.connect(now, [BOB]));
    return this.pass(forMs);
  }

  pass(forMs: number): this {
    this.world.run(this.world.nowMs + forMs);
    return this;
  }

  get a(): Talker {
    return this.alice.node as Talker;
  }

  get b(): Talker {
    return this.bob.node as Talker;
  }

  /** A datagram reaches Bob as if `from` had sent it. */
  inject(from: Address, data: Uint8Array, to = this.bob): void {
    to.command((node, now) => node.handleInput(now, { kind: "datagram", from, data, slot: 0 }));
  }

  /** Packets of a type that one side has sent so far. */
  packets(from: Sent["from"], type: number): Uint8Array[] {
    return this.sent
      .filter((one) => one.from === from && one.bytes[0] === type)
      .map(({ bytes }) => bytes);
  }
}
