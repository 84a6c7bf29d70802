/**
 * The world the simulator runs nodes in: one virtual time, one network, one agenda. Nodes are
 * driven through the same contract as by the real run loop (io/driver.ts): an input, then drained,
 * then left alone until the timeout they named or the next datagram. Everything random comes from
 * one seed, so a run can be had again to the byte.
 */
import { assert } from "../base/assert.ts";
import { Prng } from "../base/prng.ts";
import { type Ms, ms } from "../base/time.ts";
import type { Input, Node, NodeEnvironment, Transmit } from "../node/node.ts";
import type { Address } from "../wire/address.ts";
import { EventQueue } from "./event-queue.ts";
import { type Host, type HostSpec, Network } from "./network/network.ts";
import { type ClockModel, NodeClock, randomClock } from "./node-clock.ts";
import { TimeWindow } from "./time-window.ts";

/**
 * Kinds of event beside the network's: a node's timeout (argument: host), an action (argument: its
 * number).
 */
const WorldEvent = { timeout: 3, action: 4 } as const;

/** Events this close count as at one time. */
const GRAIN_MS = 1e-6;
/** A node that is due again at once this often in a row, without time passing, is broken. */
const SPINS_MAX = 10_000;

export interface WorldOptions {
  readonly seed: number;
  /** Keeps a digest of every delivery (`traceHash`). */
  readonly isTraced?: boolean;
  /**
   * Hosts have their turns by spans of time (time-window.ts). Handlers of events must then command
   * no other node, nor file actions for sooner than hosts can hear of each other.
   */
  readonly isWindowed?: boolean;
}

export interface WorldNodeSpec<N> {
  readonly host: HostSpec;
  /** Of a node with several lines, those from 1 on; the first one's hot path serves them all. */
  readonly moreLines?: readonly HostSpec[];
  /** Random within a day and 100 ppm when left out. */
  readonly clock?: ClockModel;
  /** Makes the node; again at each restart. */
  readonly create: (env: NodeEnvironment) => N;
  /** Meddles with what the node sends: how much later it leaves, ms; Infinity = never. */
  readonly delayOf?: (transmit: Transmit) => number;
}

/** A host of the world and the node that runs there, if any does. */
export interface WorldNode<N extends Node<unknown> = Node<unknown>> {
  readonly id: number;
  readonly host: Host;
  /** One for each line, `host` first. */
  readonly hosts: readonly Host[];
  readonly clock: NodeClock;
  /** Undefined while stopped. */
  readonly node: N | undefined;
  /** Gives the node a command at the present time, and what it asks for is done. */
  command<T>(action: (node: N, now: Ms) => T): T;
  /**
   * Takes the node off the network. `close` lets it free what it holds; its last words leave only
   * when `isSilent` is false.
   */
  stop(close: (node: N, now: Ms) => void, isSilent: boolean): void;
  /** Puts a new node in the stopped one's place, at the same address. */
  restart(): void;
}

/** Hears every event of every node: host, time of the world, the node's own time. */
export type EventSink = (node: number, event: unknown, worldMs: number, localMs: Ms) => void;

export class World {
  readonly network: Network;
  readonly random: Prng;
  readonly seed: number;
  onEvent: EventSink = () => {};
  /** Sees each datagram with media that is about to be handed to a peer; valid during the call. */
  onMedia: (now: number, from: number, to: number, data: Uint8Array) => void = () => {};
  readonly #queue = new EventQueue();
  readonly #window = new TimeWindow(this.#queue);
  readonly #isWindowed: boolean;
  readonly #nodes: Slot[] = [];
  /** Which of its node's lines a host is. */
  readonly #lineOf: number[] = [];
  /** The first host of the node that a host belongs to. */
  readonly #ownerOf: number[] = [];
  readonly #actions = new Map<number, () => void>();
  #actionCount = 0;
  #nowMs = 0;
  readonly #datagram: { -readonly [K in keyof DatagramInput]: DatagramInput[K] };

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.#isWindowed = options.isWindowed ?? false;
    this.random = new Prng(mixSeed(options.seed, 1));
    this.network = new Network({
      queue: { push: (time, kind, packet, host) => this.#file(time, kind, packet, host) },
      random: new Prng(mixSeed(options.seed, 2)),
      deliver: (now, host, from, data, slot) => this.#deliver(now, host, from, data, slot),
      onMedia: (now, from, to, data) => this.onMedia(now, from, to, data),
      isTraced: options.isTraced ?? false,
    });
    const nowhere: Address = { family: 4, ip: "0.0.0.0", port: 0 };
    this.#datagram = { kind: "datagram", from: nowhere, data: new Uint8Array(0), slot: 0, line: 0 };
  }

  /** The time of the world, ms since its beginning. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Adds a host and starts its node. */
  add<N extends Node<unknown>>(spec: WorldNodeSpec<N>): WorldNode<N> {
    const host = this.network.addHost(spec.host);
    const clock = new NodeClock(spec.clock ?? randomClock(this.random));
    const more = (spec.moreLines ?? []).map((line) => this.network.addHost(line));
    const hosts = [host, ...more];
    const slot = new Slot(this, hosts, clock, spec as unknown as WorldNodeSpec<Node<unknown>>);
    for (const [line, { id }] of hosts.entries()) {
      this.#nodes[id] = slot;
      this.#lineOf[id] = line;
      this.#ownerOf[id] = host.id;
    }
    slot.restart();
    return slot as unknown as WorldNode<N>;
  }

  /** Has `action` done at a time of the world, not before now. */
  at(timeMs: number, action: () => void): void {
    const number = this.#actionCount++;
    this.#actions.set(number, action);
    this.#queue.push(timeMs, WorldEvent.action, number);
  }

  /** Plays one event; false when there is none. */
  step(): boolean {
    if (!this.#queue.pop()) return false;
    const { time, kind, argument } = this.#queue;
    this.#play(time, kind, argument);
    return true;
  }

  #play(time: number, kind: number, argument: number): void {
    this.#nowMs = time;
    if (kind === WorldEvent.timeout) this.#slot(argument).handleTimer(time);
    else if (kind === WorldEvent.action) {
      const action = this.#actions.get(argument);
      this.#actions.delete(argument);
      action?.();
    } else this.network.handleEvent(time, kind, argument);
  }

  /** Plays everything up to and at `untilMs`, which is then the time. */
  run(untilMs: number): void {
    const lookaheadMs = this.#isWindowed ? this.network.leastDelayMs() : 0;
    for (let next = this.#queue.peek(); next <= untilMs; next = this.#queue.peek()) {
      if (lookaheadMs === 0 || this.#queue.peekKind() === WorldEvent.action) this.step();
      else this.#playWindow(Math.min(next + lookaheadMs, untilMs + GRAIN_MS));
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #playWindow(endMs: number): void {
    const window = this.#window;
    window.open(endMs, WorldEvent.action);
    while (window.take()) this.#play(window.time, window.kind, window.argument);
  }

  #file(time: number, kind: number, argument: number, host: number): void {
    this.#window.push(time, kind, argument, this.#ownerOf[host] as number);
  }

  /** Used by the nodes' slots: has host `id` looked at again at `timeMs`. */
  fileTimer(id: number, timeMs: number): void {
    this.#file(Math.max(timeMs, this.#nowMs), WorldEvent.timeout, id, id);
  }

  #deliver(now: number, host: number, from: Address, data: Uint8Array, slot: number): void {
    const input = this.#datagram;
    input.from = from;
    input.data = data;
    input.slot = slot;
    input.line = this.#lineOf[host] as number;
    this.#slot(host).input(now, input);
  }

  #slot(id: number): Slot {
    return this.#nodes[id] as Slot;
  }
}

type DatagramInput = Extract<Input, { kind: "datagram" }>;
const TIMEOUT: Input = { kind: "timeout" };

class Slot implements WorldNode {
  readonly id: number;
  readonly host: Host;
  readonly hosts: readonly Host[];
  readonly clock: NodeClock;
  node: Node<unknown> | undefined;
  readonly #world: World;
  readonly #spec: WorldNodeSpec<Node<unknown>>;
  readonly #delayOf: WorldNodeSpec<Node<unknown>>["delayOf"];
  #starts = 0;
  #events: unknown[] = [];
  #isDraining = false;
  #isSilent = false;
  /** World time of the earliest timer filed, and of the last one handled. */
  #timerMs = Number.POSITIVE_INFINITY;
  #handledMs = -1;
  #spins = 0;
  #localMs = ms(0);

  constructor(
    world: World,
    hosts: readonly Host[],
    clock: NodeClock,
    spec: WorldNodeSpec<Node<unknown>>,
  ) {
    const host = hosts[0] as Host;
    this.id = host.id;
    this.host = host;
    this.hosts = hosts;
    this.clock = clock;
    this.#world = world;
    this.#spec = spec;
    this.#delayOf = spec.delayOf;
  }

  restart(): void {
    assert(this.node === undefined, "world: the node runs already");
    const random = new Prng(mixSeed(this.#world.seed, 1000 + this.id * 64 + this.#starts));
    this.#starts++;
    const bootEpoch = Math.floor(this.#world.nowMs / 1000) + this.#starts;
    this.node = this.#spec.create({ hot: this.host.hot, random, bootEpoch });
    for (const host of this.hosts) host.isListening = true;
    this.#drain(this.#world.nowMs);
  }

  command<T>(action: (node: Node<unknown>, now: Ms) => T): T {
    const { node } = this;
    assert(node !== undefined, "world: the node is stopped");
    const now = this.#world.nowMs;
    const result = action(node, this.#local(now));
    this.#drain(now);
    return result;
  }

  stop(close: (node: Node<unknown>, now: Ms) => void, isSilent: boolean): void {
    this.#isSilent = isSilent;
    this.command(close);
    this.command(close); /* who lingers is cut short by a second close */
    this.#poll(this.#world.nowMs); /* in case an event's handler is what stops it */
    this.#isSilent = false;
    this.node = undefined;
    for (const host of this.hosts) host.isListening = false;
  }

  input(now: number, input: Input): void {
    if (this.node === undefined) return;
    this.node.handleInput(this.#local(now), input);
    this.#drain(now);
  }

  /** A timer may be stale (the node wants to be woken later by now): then it is only filed anew. */
  handleTimer(now: number): void {
    if (now < this.#timerMs) return;
    this.#timerMs = Number.POSITIVE_INFINITY;
    const { node } = this;
    if (node === undefined) return;
    const deadline = node.pollTimeout();
    if (this.clock.world(deadline) > now) {
      this.#fileTimer(now, deadline);
      return;
    }
    this.#spins = now === this.#handledMs ? this.#spins + 1 : 0;
    this.#handledMs = now;
    assert(this.#spins < SPINS_MAX, `world: node ${this.id} asks to be woken at once for ever`);
    /* Back from the world's time, rounding may show a hair less than the deadline that has come. */
    this.#localMs = ms(Math.max(this.#local(now), deadline));
    node.handleInput(this.#localMs, TIMEOUT);
    this.#drain(now);
  }

  /** The node's own time, which never goes back. */
  #local(now: number): Ms {
    this.#localMs = ms(Math.max(this.#localMs, this.clock.local(now)));
    return this.#localMs;
  }

  /**
   * As the real loop does: all transmits first, then the events, whose handlers may command this
   * node or others.
   */
  #drain(now: number): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    do {
      this.#poll(now);
      const events = this.#events;
      if (events.length === 0) break;
      this.#events = [];
      const local = this.#local(now);
      for (const event of events) this.#world.onEvent(this.id, event, now, local);
    } while (this.node !== undefined);
    this.#isDraining = false;
    if (this.node !== undefined) this.#fileTimer(now, this.node.pollTimeout());
  }

  #poll(now: number): void {
    const { node } = this;
    if (node === undefined) return;
    for (let output = node.pollOutput(); output !== undefined; output = node.pollOutput()) {
      if (output.kind === "event") this.#events.push(output.event);
      else if (!this.#isSilent) this.#send(now, output);
    }
  }

  #send(now: number, transmit: Transmit): void {
    const extraMs = this.#delayOf === undefined ? 0 : this.#delayOf(transmit);
    if (extraMs === Number.POSITIVE_INFINITY) return;
    const host = this.hosts[transmit.line ?? 0];
    if (host !== undefined) this.#world.network.send(now, host, transmit, extraMs);
  }

  #fileTimer(now: number, deadline: Ms): void {
    const at = Math.max(this.clock.world(deadline), now);
    if (at >= this.#timerMs || at === Number.POSITIVE_INFINITY) return;
    this.#timerMs = at;
    this.#world.fileTimer(this.id, at);
  }
}

/** A seed of its own for each use of the world's. */
function mixSeed(seed: number, use: number): number {
  let hash = Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) ^ Math.imul(use, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
  return (hash ^ (hash >>> 15)) >>> 0;
}
