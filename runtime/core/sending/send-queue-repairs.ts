/**
 * Fragments of one session whose packet was lost and which are not yet acknowledged: how many copies are still to go,
 * how many are on their way. A fragment is repaired again only when all copies of the last round are lost, so a stale
 * ACK causes nothing; an ACK of any copy, or a "have", cancels the rest. Last-round copies are spaced wider than a
 * burst of losses (docs/WIRE.md §3).
 */
import type { Ms } from "../../base/time.ts";
import type { OutgoingStream } from "./send-queue-stream.ts";
import { FLAG_RESENT, SendClass, type SendItem } from "./send-queue-types.ts";

const COPY_SPACING_MS = 20;
const ATTEMPT_MAX = 255;
const STREAM_STEP = 0x1_0000_0000;

export interface Repair {
  stream: number;
  number: number;
  index: number;
  total: number;
  flags: number;
  bytes: number;
  deadlineMs: number;
  sendClass: SendClass;
  attempt: number;
  /** Copies of this round still to send, and sent but not settled. */
  copiesLeft: number;
  outstanding: number;
  notBeforeMs: number;
  spacingMs: number;
}

/** A record of the lost fragment, whose body had at most `bytes`; undefined when the stream does not remember it. */
export function newRepair(
  stream: OutgoingStream,
  number: number,
  bytes: number,
): Repair | undefined {
  const at = stream.find(number);
  if (at < 0) return undefined;
  const sendClass = stream.classAt(at);
  return {
    stream: stream.stream,
    number,
    index: (number - stream.firstAt(at)) >>> 0,
    total: stream.totalAt(at),
    flags: stream.flagsAt(at) | FLAG_RESENT,
    bytes,
    deadlineMs: stream.deadlineAt(at),
    sendClass: sendClass === SendClass.push ? SendClass.repair : sendClass,
    attempt: 0,
    copiesLeft: 0,
    outstanding: 0,
    notBeforeMs: 0,
    spacingMs: 0,
  };
}

export class Repairs {
  readonly #byFragment = new Map<number, Repair>();
  /** Those with copies left. Short: copies leave at once or within 40 ms. */
  readonly #due: Repair[] = [];

  get isEmpty(): boolean {
    return this.#byFragment.size === 0;
  }
  get hasDue(): boolean {
    return this.#due.length > 0;
  }

  find(stream: number, number: number): Repair | undefined {
    return this.#byFragment.get(stream * STREAM_STEP + number);
  }

  add(repair: Repair): void {
    this.#byFragment.set(repair.stream * STREAM_STEP + repair.number, repair);
  }

  /** Begins another round with `copies` copies. */
  arm(now: Ms, repair: Repair, copies: number, oneWayMs: number): void {
    const spareMs = repair.deadlineMs - now - oneWayMs;
    repair.attempt = Math.min(repair.attempt + 1, ATTEMPT_MAX);
    repair.copiesLeft = copies;
    repair.outstanding = 0;
    repair.notBeforeMs = now;
    repair.spacingMs = Math.max(0, Math.min(COPY_SPACING_MS, spareMs / 3));
    this.#due.push(repair);
  }

  /** The most urgent repair of the class that may go now. */
  next(now: Ms, sendClass: SendClass): Repair | undefined {
    let best: Repair | undefined;
    for (const repair of this.#due) {
      if (repair.sendClass !== sendClass || repair.notBeforeMs > now) continue;
      if (best === undefined || repair.deadlineMs < best.deadlineMs) best = repair;
    }
    return best;
  }

  /** When the class's next copy may go: past times mean now. +Infinity when none waits. */
  nextAt(sendClass: SendClass): number {
    let at = Number.POSITIVE_INFINITY;
    for (const repair of this.#due) {
      if (repair.sendClass === sendClass && repair.notBeforeMs < at) at = repair.notBeforeMs;
    }
    return at;
  }

  fill(item: SendItem, repair: Readonly<Repair>): void {
    item.stream = repair.stream;
    item.number = repair.number;
    item.index = repair.index;
    item.total = repair.total;
    item.flags = repair.flags;
    item.bytes = repair.bytes;
    item.attempt = repair.attempt;
    item.deadlineMs = repair.deadlineMs;
    item.sendClass = repair.sendClass;
    item.notBeforeMs = repair.notBeforeMs;
  }

  noteSent(now: Ms, repair: Repair): void {
    repair.copiesLeft--;
    repair.outstanding++;
    repair.notBeforeMs = now + repair.spacingMs;
    if (repair.copiesLeft === 0) this.#undue(repair);
  }

  remove(repair: Repair): void {
    this.#byFragment.delete(repair.stream * STREAM_STEP + repair.number);
    if (repair.copiesLeft > 0) this.#undue(repair);
  }

  removeWhere(isOut: (repair: Repair) => boolean): void {
    for (const repair of this.#byFragment.values()) if (isOut(repair)) this.remove(repair);
  }

  #undue(repair: Repair): void {
    const at = this.#due.indexOf(repair);
    const last = this.#due.pop() as Repair;
    if (at < this.#due.length) this.#due[at] = last;
  }
}
