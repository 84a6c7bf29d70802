/**
 * The one run loop of real nodes: datagrams, timeouts and commands go in, and after each the node
 * is drained into a batch that leaves at the end of the burst that woke it. Events are handed on
 * only after the node is drained, because their handlers may call the node again. Nothing that a
 * datagram does can stop the loop: an error is reported and the loop goes on.
 */
import { type Ms, ms, NEVER } from "../base/time.ts";
import type { HotPath } from "../core/hot-path/hot-path.ts";
import type { Input, Node } from "../node/node.ts";
import type { Address } from "../wire/address.ts";
import type { Clock } from "./clock.ts";
import { DatagramBatch } from "./datagram-batch.ts";
import type { UdpSocket } from "./udp.ts";

export interface RunOptions<Event> {
  readonly node: Node<Event>;
  /** Owned by the loop from now on: `stop` closes it. */
  readonly udp: UdpSocket;
  /** Of a node with several lines, those from 1 on, as `udp`. */
  readonly moreLines?: readonly UdpSocket[];
  readonly clock: Clock;
  /** The node's own, where its transmits lie. */
  readonly hot: HotPath;
  /** May call the node's commands; `wake` is implied. */
  readonly onEvent: (event: Event) => void;
  /** A bug caught, or trouble with the socket. */
  readonly onError: (error: unknown) => void;
}

export interface RunningNode {
  /** To be called after every command: sends what it caused and sets the timer anew. */
  wake(): void;
  /**
   * Sends what the node still has to say, then closes the socket. Calling it again does nothing.
   */
  stop(): void;
}

export function runNode<Event>(options: RunOptions<Event>): RunningNode {
  return new Loop(options);
}

/**
 * Timeouts handled without a look at the sockets; a node due for longer is called again after one.
 */
const TIMEOUTS_PER_WAKE = 8;
/** Full calls for datagrams before the sending goes on. */
const RECEIVES_PER_WAKE = 8;
/** `setTimeout` takes whole milliseconds, and its longest is 2^31−1 (about 24 days). */
const TIMER_MS_MIN = 1;
const TIMER_MS_MAX = 0x7fff_ffff;
/**
 * A node that throws on a timeout is asked again after this long, so that a bug does not take the
 * processor.
 */
const ERROR_PAUSE_MS = 50;
const TIMEOUT: Input = { kind: "timeout" };
/** A deadline this much earlier than the armed timer is not worth setting it anew. */
const TIMER_SLACK_MS = 0.5;

interface Line {
  readonly udp: UdpSocket;
  readonly batch: DatagramBatch;
}

class Loop<Event> implements RunningNode {
  readonly #options: RunOptions<Event>;
  readonly #lines: readonly Line[];
  readonly #datagram: Mutable<Extract<Input, { kind: "datagram" }>>;
  #events: Event[] = [];
  #isDraining = false;
  #isFlushQueued = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #armedFor: number = NEVER;
  #isStopped = false;

  constructor(options: RunOptions<Event>) {
    this.#options = options;
    const nowhere: Address = { family: 4, ip: "0.0.0.0", port: 0 };
    const data = new Uint8Array(0);
    this.#datagram = { kind: "datagram", from: nowhere, data, slot: 0, line: 0, hasMore: false };
    const sockets = [options.udp, ...(options.moreLines ?? [])];
    this.#lines = sockets.map((udp) => ({ udp, batch: new DatagramBatch() }));
    for (const [line, udp] of sockets.entries()) {
      udp.onDatagrams({
        handleDatagram: (from, bytes, hasMore = false) =>
          this.#handleDatagram(line, from, bytes, hasMore),
        handleError: (error) => options.onError(error),
      });
    }
    this.wake();
  }

  wake(): void {
    if (this.#isStopped || this.#isDraining) return;
    this.#drain();
    this.#queueFlush();
  }

  stop(): void {
    if (this.#isStopped) return;
    if (this.#isDraining) this.#poll(); /* called by an event's handler */
    else this.#drain();
    this.#isStopped = true;
    this.#send();
    clearTimeout(this.#timer);
    for (const { udp } of this.#lines) udp.close();
  }

  #handleDatagram(line: number, from: Address, data: Uint8Array, hasMore: boolean): void {
    if (this.#isStopped) return;
    this.#datagram.hasMore = hasMore;
    this.#datagram.line = line;
    this.#datagram.from = from;
    this.#datagram.data = data;
    this.#input(this.#datagram);
    this.#queueFlush();
  }

  /** False when the node threw. */
  #input(input: Input): boolean {
    let isFine = true;
    try {
      this.#options.node.handleInput(this.#options.clock.now(), input);
    } catch (error) {
      isFine = false;
      this.#options.onError(error);
    }
    if (!isFine || input.kind === "timeout" || input.hasMore !== true) this.#drain();
    return isFine;
  }

  /**
   * Takes everything the node has to say; then lets the events act, and again, until it is silent.
   */
  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    do {
      this.#poll();
      const events = this.#events;
      if (events.length === 0) break;
      this.#events = [];
      for (const event of events) this.#hand(event);
    } while (!this.#isStopped);
    this.#isDraining = false;
  }

  #poll(): void {
    const { node, hot } = this.#options;
    try {
      for (;;) {
        this.#pollTrains();
        const output = node.pollOutput();
        if (output === undefined) break;
        if (output.kind === "event") {
          this.#events.push(output.event);
          continue;
        }
        const line = this.#lines[output.line ?? 0];
        if (line === undefined) continue; /* a line that was given no socket */
        if (line.batch.isFull) line.udp.send(line.batch);
        line.batch.addTransmit(output, hot);
      }
    } catch (error) {
      this.#options.onError(error);
    }
    for (const { udp } of this.#lines) udp.flushTrains?.();
  }

  /** Trains that come next go to the system from where they lie, behind what is in the batch. */
  #pollTrains(): void {
    const { node, hot } = this.#options;
    if (node.pollTrain === undefined || !this.#takesTrains()) return;
    for (let train = node.pollTrain(); train !== undefined; train = node.pollTrain()) {
      const line = this.#lines[train.line];
      if (line === undefined) continue; /* a line that was given no socket */
      if (line.batch.count > 0) line.udp.send(line.batch);
      line.udp.addTrain?.(train, hot);
    }
  }

  #takesTrains(): boolean {
    for (const { udp } of this.#lines) if (udp.takesTrains !== true) return false;
    return true;
  }

  #hand(event: Event): void {
    try {
      this.#options.onEvent(event);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #send(): void {
    for (const { udp, batch } of this.#lines) if (batch.count > 0) udp.send(batch);
  }

  /** At the end of this turn of the event loop, when the socket has handed over all it had. */
  #queueFlush(): void {
    if (this.#isFlushQueued || this.#isStopped) return;
    this.#isFlushQueued = true;
    setImmediate(() => {
      this.#isFlushQueued = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#isStopped) return;
    /* What is handled in here is flushed in here. */
    const wasQueued = this.#isFlushQueued;
    this.#isFlushQueued = true;
    let hasMore = false;
    try {
      hasMore = this.#receive();
      if (!this.#isStopped && this.#serve()) hasMore = true;
    } finally {
      this.#isFlushQueued = wasQueued;
    }
    if (hasMore) this.#queueFlush();
  }

  /** Takes in what came while the node was busy; true when there may be more. */
  #receive(): boolean {
    let hasMore = false;
    for (const { udp } of this.#lines) {
      for (let i = 0; i < RECEIVES_PER_WAKE && udp.receiveNow?.() === true; i++) {
        hasMore = i === RECEIVES_PER_WAKE - 1;
      }
    }
    return hasMore;
  }

  /** Has the node do what is due, and sends; true when more is due than it may do now. */
  #serve(): boolean {
    const { node, clock } = this.#options;
    for (let i = 0; node.pollTimeout() <= clock.now(); i++) {
      if (i === TIMEOUTS_PER_WAKE) {
        this.#send();
        return true;
      }
      const isFine = this.#input(TIMEOUT);
      if (this.#isStopped) return false;
      if (!isFine) {
        this.#send();
        this.#arm(ms(clock.now() + ERROR_PAUSE_MS));
        return false;
      }
    }
    this.#send();
    this.#arm(node.pollTimeout());
    return false;
  }

  /** A timer set for too early costs one idle wake; one set anew for every datagram costs more. */
  #arm(deadline: Ms): void {
    if (deadline >= this.#armedFor - TIMER_SLACK_MS) return;
    clearTimeout(this.#timer);
    this.#armedFor = deadline;
    const delayMs = Math.ceil(deadline - this.#options.clock.now());
    const boundedMs = Math.min(Math.max(delayMs, TIMER_MS_MIN), TIMER_MS_MAX);
    this.#timer = setTimeout(() => {
      this.#armedFor = NEVER;
      this.#flush();
    }, boundedMs);
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
