/**
 * A sender and a receiver around the real queue, uplink and hot path, without handshake and packet bytes: what the
 * sending policy does can be measured on millions of packets. One `PolicyNode` is one uplink with many receivers.
 */
import { type Ms, ms, NEVER } from "../../base/time.ts";
import { type HotPath, MAX_ACK_BYTES, Settled } from "../hot-path/hot-path.ts";
import { type SendItem, type SendPort, SendQueue } from "../sending/send-queue.ts";
import { Uplink, type UplinkOptions } from "../sending/uplink.ts";
import type { Link, VirtualClock } from "./bottleneck.ts";

const KIND = { fragment: 1, bundle: 2, probe: 3 } as const;
const DATA_HEAD_BYTES = 21;

export interface ReceiverOptions {
  readonly ackDelayMs: number;
  readonly ackEveryPackets: number;
}
export const FAST_ACKS: ReceiverOptions = { ackDelayMs: 10, ackEveryPackets: 8 };
export const PEER_ACKS: ReceiverOptions = { ackDelayMs: 500, ackEveryPackets: 32 };

/** A link, or several in a row. */
export type Pipe = Pick<Link, "send">;

interface Fragment {
  readonly stream: number;
  readonly number: number;
  readonly attempt: number;
  readonly bytes: number;
}

export type OnFragment = (now: Ms, stream: number, number: number) => void;

export class PolicyNode {
  readonly clock: VirtualClock;
  readonly hot: HotPath;
  readonly uplink: Uplink;
  readonly pairs: PolicyPair[] = [];
  #polledFor = Number.POSITIVE_INFINITY;

  constructor(clock: VirtualClock, hot: HotPath, options: UplinkOptions) {
    this.clock = clock;
    this.hot = hot;
    this.uplink = new Uplink(options);
  }

  /** After every mutation: sends what may go and asks to be woken. */
  finish(): void {
    this.uplink.poll(this.clock.now);
    for (const pair of this.pairs) pair.scheduleLossCheck();
    const at = this.uplink.pollTimeout();
    if (at === NEVER || at >= this.#polledFor) return;
    const wakeAt = Math.max(at, this.clock.now + 0.01);
    this.#polledFor = wakeAt;
    this.clock.at(wakeAt, () => {
      this.#polledFor = Number.POSITIVE_INFINITY;
      this.finish();
    });
  }
}

export class PolicyPair implements SendPort {
  readonly queue: SendQueue;
  readonly #node: PolicyNode;
  readonly #forward: Pipe;
  readonly #back: Pipe;
  readonly #receiver: ReceiverOptions;
  readonly #onFragment: OnFragment;
  readonly #sending: number;
  readonly #receiving: number;
  readonly #ackPtr: number;
  readonly #bundles = new Map<number, Fragment[]>();
  #bundleNext = 0;
  #ackAt = Number.POSITIVE_INFINITY;
  #lossAt = Number.POSITIVE_INFINITY;
  packetsSent = 0;
  bytesSent = 0;
  firstSent = 0;
  repairsSent = 0;
  gone = 0;
  onGone: ((stream: number, first: number, count: number) => void) | undefined;

  constructor(
    node: PolicyNode,
    forward: Pipe,
    back: Pipe,
    receiver: ReceiverOptions,
    onFragment: OnFragment,
  ) {
    this.#node = node;
    this.#forward = forward;
    this.#back = back;
    this.#receiver = receiver;
    this.#onFragment = onFragment;
    this.#sending = node.hot.sessionOpen();
    this.#receiving = node.hot.sessionOpen();
    this.#ackPtr = node.hot.headerArenaPtr;
    this.queue = new SendQueue(this, node.uplink);
    node.pairs.push(this);
  }

  /* ---------------------------------------------------------------- SendPort */

  srttMs(): number {
    return this.#node.hot.srttMs(this.#sending);
  }
  minRttMs(): number {
    return this.#node.hot.minRttMs(this.#sending);
  }
  lossRate(): number {
    return this.#node.hot.lossRate(this.#sending);
  }
  bytesInFlight(): number {
    return this.#node.hot.bytesInFlight(this.#sending);
  }
  repairCopies(now: Ms, deadlineMs: number): number {
    return this.#node.hot.repairCopies(this.#sending, now, deadlineMs);
  }

  sendFragment(now: Ms, item: SendItem): number {
    const size = DATA_HEAD_BYTES + item.bytes;
    const { stream, number, attempt } = item;
    const hot = this.#node.hot;
    const packet = hot.packetSent(this.#sending, now, KIND.fragment, attempt, stream, number, size);
    if (packet < 0) return -1;
    if (attempt === 0) this.firstSent++;
    else this.repairsSent++;
    this.#transmit(packet, size, [{ stream, number, attempt, bytes: item.bytes }]);
    return size;
  }

  sendBundle(now: Ms, items: readonly SendItem[], count: number): number {
    const fragments: Fragment[] = [];
    let size = 11;
    for (const { stream, number, attempt, bytes } of items.slice(0, count)) {
      fragments.push({ stream, number, attempt, bytes });
      size += 12 + bytes;
    }
    const key = this.#bundleNext++;
    const packet = this.#node.hot.packetSent(this.#sending, now, KIND.bundle, 0, 0, key, size);
    if (packet < 0) return -1;
    this.firstSent += count;
    this.#bundles.set(key, fragments);
    this.#transmit(packet, size, fragments);
    return size;
  }

  sendGone(_now: Ms, stream: number, first: number, count: number): void {
    this.gone += count;
    this.onGone?.(stream, first, count);
  }

  #transmit(packet: number, size: number, fragments: readonly Fragment[]): void {
    this.packetsSent++;
    this.bytesSent += size;
    this.#forward.send(size, () => this.#receive(packet & 0xffff, fragments));
  }

  /* ---------------------------------------------------------------- receiver */

  #receive(number16: number, fragments: readonly Fragment[]): void {
    const { hot, clock } = this.#node;
    const result = hot.packetReceived(this.#receiving, clock.now, number16);
    if (result < 0) return;
    for (const each of fragments) this.#onFragment(clock.now, each.stream, each.number);
    if (result === 1 || hot.ackPending(this.#receiving) >= this.#receiver.ackEveryPackets) {
      this.#acknowledge();
    } else if (this.#ackAt > clock.now + this.#receiver.ackDelayMs) {
      const at = clock.now + this.#receiver.ackDelayMs;
      this.#ackAt = at;
      clock.at(at, () => {
        if (this.#ackAt === at) this.#acknowledge();
      });
    }
  }

  #acknowledge(): void {
    const { hot, clock } = this.#node;
    this.#ackAt = Number.POSITIVE_INFINITY;
    const length = hot.ackBuild(this.#receiving, clock.now, this.#ackPtr);
    const body = hot.bytes.slice(this.#ackPtr, this.#ackPtr + length);
    this.#back.send(9 + length, () => this.#handleAck(body));
  }

  #handleAck(body: Uint8Array): void {
    const { hot, clock } = this.#node;
    hot.bytes.set(body, this.#ackPtr + MAX_ACK_BYTES);
    this.#settle(hot.ackParse(this.#sending, clock.now, this.#ackPtr + MAX_ACK_BYTES, body.length));
    this.#node.finish();
  }

  /* ---------------------------------------------------------------- settling */

  /** After every mutation of the node. */
  scheduleLossCheck(): void {
    const at = this.#node.hot.lossDeadline(this.#sending);
    if (at === Number.POSITIVE_INFINITY || at >= this.#lossAt) return;
    const wakeAt = Math.max(at, this.#node.clock.now + 0.01);
    this.#lossAt = wakeAt;
    this.#node.clock.at(wakeAt, () => {
      if (this.#lossAt !== wakeAt) return;
      this.#lossAt = Number.POSITIVE_INFINITY;
      this.#checkLoss();
    });
  }

  #checkLoss(): void {
    const { hot, clock } = this.#node;
    if (clock.now >= hot.lossDeadline(this.#sending)) {
      this.#settle(hot.lossCheck(this.#sending, clock.now));
      if (hot.tailProbeDue(this.#sending, clock.now)) {
        const packet = hot.packetSent(this.#sending, clock.now, KIND.probe, 0, 0, 0, 15);
        if (packet >= 0) this.#transmit(packet, 15, []);
      }
    }
    this.#node.finish();
  }

  #settle(count: number): void {
    if (count < 0) throw new Error(`ack refused: ${count}`);
    const { hot, clock } = this.#node;
    const out = hot.out.slice(0, Settled.entriesAt / 4 + count * (Settled.entryBytes / 4));
    const sentAt = hot.outF64[Settled.largestSentF64] as number;
    for (let i = 0; i < count; i++) {
      const at = Settled.entriesAt / 4 + i * (Settled.entryBytes / 4);
      const isAcked = i < (out[Settled.acked] as number);
      const [kind, attempt, stream, key, size] = out.subarray(at, at + 5) as unknown as number[];
      this.#report(isAcked, kind ?? 0, attempt ?? 0, stream ?? 0, (key ?? 0) >>> 0, size ?? 0);
    }
    if (count === 0) return;
    const isSample = out[Settled.largestIsNew] === 1;
    const receiverMs = ((out[Settled.receiverClock] ?? 0) >>> 0) / 10;
    this.#node.uplink.handleAck(clock.now, this.queue, {
      bytesAcked: out[Settled.bytesAcked] ?? 0,
      bytesLost: out[Settled.bytesLost] ?? 0,
      rttMs: isSample ? hot.latestRttMs(this.#sending) : Number.NaN,
      oneWayMs: isSample ? receiverMs - sentAt : Number.NaN,
      receiverMs: isSample ? receiverMs : Number.NaN,
    });
  }

  #report(
    isAcked: boolean,
    kind: number,
    attempt: number,
    stream: number,
    key: number,
    size: number,
  ): void {
    const now = ms(this.#node.clock.now);
    if (kind === KIND.fragment) {
      if (isAcked) this.queue.handleAcked(stream, key);
      else this.queue.handleLost(now, stream, key, attempt, size);
    } else if (kind === KIND.bundle) {
      for (const each of this.#bundles.get(key) ?? []) {
        if (isAcked) this.queue.handleAcked(each.stream, each.number);
        else this.queue.handleLost(now, each.stream, each.number, each.attempt, each.bytes + 21);
      }
      this.#bundles.delete(key);
    }
  }
}
