/**
 * One way a stream leaves towards an edge: a session, to that edge or to a relay, and the stream's index there. It
 * keeps the order in which its fragments went: the one that should have been acknowledged first stands at the front.
 */
import { type Ms, ms, NEVER } from "../../base/time.ts";
import type { QueuedSegment } from "../../core/sending/send-queue.ts";
import type { Session } from "../../core/session/session.ts";
import type { MeshLink } from "./mesh-link.ts";
import type { Path } from "./route-paths.ts";

/** A fragment on its way to an edge, over one leg or several. */
export interface Flight {
  readonly number: number;
  readonly index: number;
  readonly total: number;
  readonly flags: number;
  readonly bytes: number;
  /** When it was here. */
  readonly bornAt: Ms;
  /** Not worth sending after this. */
  readonly deadline: Ms;
  readonly sendClass: QueuedSegment["sendClass"];
  /** Copies sent and neither acknowledged nor lost. */
  out: number;
  sentAt: Ms;
  /** The leg of the last copy. */
  leg: Leg | undefined;
  rounds: number;
}

/** One sending of a fragment; a later one of the same takes its place. */
interface Sent {
  readonly flight: Flight;
  readonly sentAt: Ms;
  /** Behind what stood in the queue. */
  readonly leavesAt: Ms;
}

/** Fragments remembered as sent on one leg; older ones are settled, or past their time. */
const SENT_MAX = 8192;

/** A relay that fails may have acknowledged for this long what it did not pass on. */
const PASSED_MS = 300;
const PASSED_MAX = 2048;
/** A repair goes by the leg it was lost on when that is quicker by more than this. */
const OTHER_MS = 30;
const SAME_COST = 1.5;
/** Legs that are avoided while there are others: those that stand by, and those that have fallen silent. */
const SPARE_MS = 1000;
const SUSPECT_MS = 5000;
const NEAR_SUSPECT_MS = 2500;

/** It shares a line at one end with a leg that has fallen silent: often it is the line that has died. */
function isNearSuspect(leg: Leg, legs: readonly Leg[]): boolean {
  return legs.some((other) => {
    if (other === leg || (!other.isSuspect && other.isUsable)) return false;
    const { mine, edgeId, their } = other.link;
    const isTheirs = edgeId === leg.link.edgeId && their.lineId === leg.link.their.lineId;
    return mine.lineId === leg.link.mine.lineId || isTheirs;
  });
}

/**
 * The leg by which a fragment would be there first: of the active ones while one is sound, else of all. `but`: where it
 * was lost before, since losses come in bursts.
 */
export function bestLeg(
  legs: readonly Leg[],
  but: Leg | undefined,
  isFirst: boolean,
): Leg | undefined {
  let best: Leg | undefined;
  let bestMs = Number.POSITIVE_INFINITY;
  for (const leg of legs) {
    if (!leg.isUsable) continue;
    let expectedMs = leg.expectedMs();
    if (leg === but) expectedMs += OTHER_MS;
    if (leg.isSuspect) expectedMs += SUSPECT_MS;
    else if (isNearSuspect(leg, legs)) expectedMs += NEAR_SUSPECT_MS;
    if (isFirst && !leg.isActive) expectedMs += SPARE_MS;
    if (expectedMs >= bestMs) continue;
    best = leg;
    bestMs = expectedMs;
  }
  return best;
}

/**
 * The leg a repair goes by: the cheapest of those by which it is there within `goalMs`, another one than it was lost on
 * if that costs no more; the quickest when none is quick enough.
 */
export function repairLeg(legs: readonly Leg[], lostOn: Leg, goalMs: number): Leg | undefined {
  let best: Leg | undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const leg of legs) {
    if (!leg.isUsable || leg.isSuspect || leg.expectedMs() > goalMs) continue;
    if (isNearSuspect(leg, legs)) continue;
    const cost = leg.path.cost * (leg === lostOn ? SAME_COST : 1);
    if (cost >= bestCost) continue;
    best = leg;
    bestCost = cost;
  }
  return best ?? bestLeg(legs, lostOn, false);
}

export class Leg {
  readonly path: Path;
  readonly link: MeshLink;
  readonly session: Session;
  /** Of the stream in that session. */
  readonly index: number;
  /** Carries the stream, rather than standing by. */
  isActive = false;
  /** Of a relayed path: what the relay has acknowledged. */
  readonly #passed: Flight[] = [];
  #sent: Sent[] = [];
  #head = 0;
  /** Late ones in a row, and when the last was found so. */
  #late = 0;
  #lateAt = Number.NEGATIVE_INFINITY;

  constructor(path: Path, link: MeshLink, session: Session, index: number) {
    this.path = path;
    this.link = link;
    this.session = session;
    this.index = index;
  }

  get isUsable(): boolean {
    return this.link.canCarry && this.link.session === this.session;
  }

  /** Something was not acknowledged in time, and nothing at all has been heard since. */
  get isSuspect(): boolean {
    return this.#lateAt > this.session.lastReceivedAt || this.link.isDoubted;
  }

  /** When a fragment handed over now would be there. */
  expectedMs(): number {
    const rest = this.path.links[1];
    const onwards = rest === undefined ? 0 : rest.rttMs / 2 + rest.jitterMs;
    return this.link.expectedMs() + onwards;
  }

  send(now: Ms, flight: Flight): void {
    const { queue } = this.session;
    queue.takesParts = true;
    flight.out++;
    flight.sentAt = now;
    flight.leg = this;
    this.#sent.push({ flight, sentAt: now, leavesAt: ms(now + this.#waitMs()) });
    if (this.#sent.length - this.#head > SENT_MAX) this.#head++;
    const { number, index, total, flags, bytes, deadline, sendClass } = flight;
    queue.enqueueFragment(now, this.index, number, index, total, flags, bytes, deadline, sendClass);
  }

  handleAcked(flight: Flight | undefined): void {
    this.#late = 0;
    this.link.meter.settled(false);
    if (flight === undefined || this.path.links.length === 1) return;
    this.#passed.push(flight);
    if (this.#passed.length >= PASSED_MAX) this.#passed.splice(0, PASSED_MAX / 2);
  }

  /** What the relay took within the last moments: it dies, or says that it cannot pass it on. */
  takePassed(now: Ms): Flight[] {
    const recent = this.#passed.filter(({ sentAt }) => now - sentAt < PASSED_MS);
    this.#passed.length = 0;
    for (const flight of recent) flight.leg = this;
    return recent;
  }

  handleLost(): void {
    this.link.meter.settled(true);
  }

  /** When the front fragment is late. */
  nextLateAt(isSettled: (flight: Flight) => boolean): Ms {
    for (;;) {
      const front = this.#sent[this.#head];
      if (front === undefined) return NEVER;
      const { flight, sentAt } = front;
      const isLast = flight.leg === this && flight.sentAt === sentAt;
      if (!isLast || isSettled(flight)) this.#shift();
      else return ms(front.leavesAt + this.link.lateMs);
    }
  }

  /** The front fragment, taken off, when it is late. */
  takeLate(now: Ms, isSettled: (flight: Flight) => boolean): Flight | undefined {
    if (this.nextLateAt(isSettled) > now) return undefined;
    const front = this.#sent[this.#head] as Sent;
    this.#shift();
    this.#late++;
    this.#lateAt = now;
    this.link.handleSilence(now, front.leavesAt, this.#late);
    return front.flight;
  }

  /** What stands in the queue goes first, at its pace. */
  #waitMs(): number {
    const { queuedBytes, path } = this.session.queue;
    return queuedBytes === 0 ? 0 : (queuedBytes * 8000) / path.rate.paceBps;
  }

  #shift(): void {
    this.#head++;
    if (this.#head < 64 || this.#head * 2 < this.#sent.length) return;
    this.#sent = this.#sent.slice(this.#head);
    this.#head = 0;
  }
}
