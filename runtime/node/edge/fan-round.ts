/**
 * What an edge has to push in one turn of its loop. Fragments of a frame come in one by one but mostly together; those
 * of one turn are gathered and leave for all receivers at once (core/session/fan-out.ts), as trains that one system
 * call takes. Nothing waits longer than that: a node with a round to run is due at once.
 */
import type { Ms } from "../../base/time.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import { SendClass } from "../../core/sending/send-queue.ts";
import { FAN_FRAGMENTS, type FanFragment, FanOut } from "../../core/session/fan-out.ts";
import type { NodeContext } from "../../core/session/node-context.ts";
import type { Receiver } from "../peer/receiver.ts";

/** Whole segments up to this size share a datagram when several are due, which is the queues' business. */
const SMALL_BYTES = 700;

/** Who has a round to run: an outlet. */
export interface RoundOwner {
  runRound(now: Ms): void;
}

/** The rounds of one node. */
export class FanRounds {
  /** One for each of the node's lines. */
  readonly fans: readonly FanOut[];
  readonly hot: HotPath;
  #due: RoundOwner[] = [];

  constructor(lines: readonly [NodeContext, ...NodeContext[]]) {
    this.fans = lines.map((context) => new FanOut(context));
    this.hot = lines[0].hot;
  }

  get isDue(): boolean {
    return this.#due.length > 0;
  }

  add(owner: RoundOwner): void {
    this.#due.push(owner);
  }

  run(now: Ms): void {
    if (this.#due.length === 0) return;
    const due = this.#due;
    this.#due = [];
    for (const owner of due) owner.runRound(now);
  }
}

/** One outlet's round. */
export class FanRound {
  readonly #rounds: FanRounds;
  #fragments: FanFragment[] = [];

  constructor(rounds: FanRounds) {
    this.#rounds = rounds;
  }

  get isEmpty(): boolean {
    return this.#fragments.length === 0;
  }

  get isFull(): boolean {
    return this.#fragments.length === FAN_FRAGMENTS;
  }

  /** Keeps a reference to the payload until the round is run. */
  add(owner: RoundOwner, fragment: FanFragment): void {
    if (fragment.slot === 0) return; /* evicted already */
    if (this.isEmpty) this.#rounds.add(owner);
    this.#rounds.hot.payloadRetain(fragment.slot);
    this.#fragments.push(fragment);
  }

  /** Sends or queues everything for those who want it; returns the bytes of media. */
  run(now: Ms, receivers: readonly Receiver[]): number {
    const fragments = this.#fragments;
    this.#fragments = [];
    const small = fragments.filter(isSmall);
    const together = small.length > 1 ? small : [];
    const alone = together.length > 0 ? fragments.filter((each) => !isSmall(each)) : fragments;
    const { fans, hot } = this.#rounds;
    for (const fan of fans) fan.begin(alone);
    let sent = 0;
    for (const receiver of receivers) {
      const { index, session, playoutMs } = receiver;
      if (index === 0) continue;
      session.queue.takesParts = !receiver.isWhole;
      const wanted = bitsFor(receiver, alone);
      if (wanted !== 0) {
        if (fans[session.line]?.offer(now, session, index, wanted, playoutMs) === true) {
          sent += bytesOf(alone, wanted);
        } else sent += queueFor(now, receiver, alone);
      }
      if (together.length > 0) sent += queueFor(now, receiver, together);
    }
    for (const fan of fans) fan.end(now);
    for (const { slot } of fragments) hot.payloadRelease(slot);
    return sent;
  }
}

function isSmall({ total, bytes }: FanFragment): boolean {
  return total === 1 && bytes <= SMALL_BYTES;
}

/** Bit i: the i-th fragment is of a sub-stream the receiver wants. */
function bitsFor(receiver: Receiver, fragments: readonly FanFragment[]): number {
  if (receiver.isWhole) return 2 ** fragments.length - 1;
  let bits = 0;
  for (const [i, { number }] of fragments.entries()) if (receiver.wants(number)) bits |= 1 << i;
  return bits;
}

function bytesOf(fragments: readonly FanFragment[], bits: number): number {
  let sum = 0;
  for (let left = bits; left !== 0; left &= left - 1) {
    sum += (fragments[31 - Math.clz32(left & -left)] as FanFragment).bytes;
  }
  return sum;
}

/** The ordinary way: what the receiver wants of the fragments waits in its queue; returns the bytes of media. */
export function queueFor(now: Ms, receiver: Receiver, fragments: readonly FanFragment[]): number {
  const { index: stream, session, playoutMs } = receiver;
  if (stream === 0) return 0;
  session.queue.takesParts = !receiver.isWhole;
  let sent = 0;
  for (const { number, index, total, flags, bytes, captured } of fragments) {
    if (!receiver.wants(number)) continue;
    const deadline = captured + playoutMs;
    const { push } = SendClass;
    session.queue.enqueueFragment(now, stream, number, index, total, flags, bytes, deadline, push);
    sent += bytes;
  }
  return sent;
}
