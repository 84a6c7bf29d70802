/**
 * A stream that this edge takes from another: asked for until it comes, taken in over whatever sessions it comes
 * by, and what stays missing asked for by number. What comes in goes into the edge's ordinary intake.
 */
import { type Ms, ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import type { FragmentRange, RequestPacket } from "../../wire/feedback.ts";
import type { StreamInfo } from "../../wire/stream-info.ts";
import type { Intake, StreamIdentity } from "../intake.ts";
import { Holes } from "./holes.ts";
import type { MeshLink } from "./mesh-link.ts";

/** Asked for again while nothing comes, and how long nothing must have come. */
const ASK_MS = 500;
const SILENT_MS = 1000;
/** Said that it does not come, at most so often. */
const MISSING_MS = 1000;
/** Between two pieces of feedback to the sender. */
const FEEDBACK_MS = 1000;
const FEEDBACK_FIRST_MS = 100;
/** Fragments in one request. */
const REQUEST_MAX = 64;
/** A receiver's uncertainty while no CLOCK has reached it (docs/WIRE.md §4). */
const CLOCK_UNKNOWN = 0xffff;

/** What a fetch needs of the edge. */
export interface FetchHost {
  /** The best link to an edge that is up. */
  linkTo(edgeId: string): MeshLink | undefined;
  /** Where a run goes; undefined when the stream is published here. */
  open(now: Ms, stream: StreamIdentity, fromEdgeId: string): Intake | undefined;
  ended(now: Ms, intake: Intake): void;
  missing(stream: string, edgeId: string, reason: string): void;
  /** Capture → play-out at the last viewer here, ms. */
  playoutMs(stream: string): number;
}

export class Fetch {
  readonly name: string;
  from: string;
  intake: Intake | undefined;
  readonly holes = new Holes();
  readonly #host: FetchHost;
  /** Sessions it comes by, and its index there. */
  readonly #bound = new Map<Session, number>();
  /** Of these, what another edge began to send: when those end, the run does not. */
  #former: ReadonlyMap<Session, number> = new Map();
  #askAt: Ms;
  #feedbackAt: Ms;
  #missingAt: number;
  requested = 0;

  constructor(host: FetchHost, name: string, from: string, now: Ms) {
    this.#host = host;
    this.name = name;
    this.from = from;
    this.#askAt = now;
    this.#feedbackAt = now;
    this.#missingAt = now + MISSING_MS;
  }

  get sessions(): ReadonlyMap<Session, number> {
    return this.#bound;
  }

  /* ---------------------------------------------------------------- what comes */

  /** Data of this stream follows on `session`. False when it is not taken. */
  bind(now: Ms, session: Session, info: StreamInfo): boolean {
    const { name, id, epoch, index } = info;
    const held = this.intake;
    if (held?.stream.epoch !== epoch) {
      if (held !== undefined && ((epoch - held.stream.epoch) | 0) < 0) return false;
      this.unbind();
      this.intake = this.#host.open(now, { name, id, epoch }, this.from);
      this.holes.restart();
    }
    if (this.intake === undefined) return false;
    const before = this.#bound.get(session);
    if (before !== undefined && before !== index) session.sinks.delete(before);
    session.sinks.set(index, this.intake);
    this.#bound.set(session, index);
    this.#feedbackAt = ms(Math.min(this.#feedbackAt, now));
    return true;
  }

  /** The run is over on this session: with the last one it is over for good, unless a path was merely left. */
  handleEnded(now: Ms, session: Session, index: number, isOrigin: boolean): void {
    if (this.#bound.get(session) !== index) return;
    this.#bound.delete(session);
    session.sinks.delete(index);
    const { intake } = this;
    if (!isOrigin || intake === undefined || this.#former.get(session) === index) return;
    this.unbind();
    this.intake = undefined;
    this.#host.ended(now, intake);
  }

  handleClosed(session: Session): void {
    this.#bound.delete(session);
  }

  /** The run is over here: nothing of it is taken in any more. */
  forgetRun(): void {
    this.unbind();
    this.intake = undefined;
  }

  /** Takes nothing more on any session. */
  unbind(): void {
    for (const [session, index] of this.#bound) if (session.isOpen) session.sinks.delete(index);
    this.#bound.clear();
  }

  /* ---------------------------------------------------------------- time */

  nextTimeout(): Ms {
    return ms(Math.min(this.#askAt, this.#feedbackAt, this.holes.nextTimeout()));
  }

  handleTimeout(now: Ms): void {
    if (now >= this.#askAt) this.#ask(now);
    if (now >= this.#feedbackAt) this.#sendFeedback(now);
    if (now >= this.holes.nextTimeout()) this.#request(now);
  }

  /** Asks at once, as another edge is to send it from now on. */
  switchTo(now: Ms, from: string): void {
    this.from = from;
    this.#former = new Map(this.#bound);
    this.#askAt = now;
    this.#missingAt = now + MISSING_MS;
    this.#ask(now);
  }

  #ask(now: Ms): void {
    this.#askAt = ms(now + ASK_MS);
    const lastAt = this.intake?.lastArrivalAt ?? Number.NEGATIVE_INFINITY;
    if (this.#bound.size > 0 && now - lastAt < SILENT_MS) {
      this.#missingAt = now + MISSING_MS;
      return;
    }
    const link = this.#host.linkTo(this.from);
    link?.session?.sendControl(now, { t: "fetch", name: this.name });
    if (now < this.#missingAt) return;
    this.#missingAt = now + MISSING_MS;
    const reason = link === undefined ? "no link to it is up" : "nothing comes";
    this.#host.missing(this.name, this.from, reason);
  }

  /** The other edge has no such stream. */
  handleMissing(now: Ms, reason: string): void {
    if (now < this.#missingAt - MISSING_MS / 2) return;
    this.#missingAt = now + MISSING_MS;
    this.#host.missing(this.name, this.from, reason);
  }

  #sendFeedback(now: Ms): void {
    const { intake } = this;
    const isReady = intake?.clock.ready === true;
    this.#feedbackAt = ms(
      now + (isReady || intake === undefined ? FEEDBACK_MS : FEEDBACK_FIRST_MS),
    );
    if (intake === undefined) return;
    for (const [session, stream] of this.#bound) {
      const playOutOffsetMs = Math.max(0, this.#host.playoutMs(this.name) - session.srttMs() / 2);
      const uncertaintyMs = isReady
        ? Math.min(1000, intake.clock.uncertaintyMs(now))
        : CLOCK_UNKNOWN;
      const next = intake.index.oldest();
      session.sendFeedback(now, [
        { stream, playOutOffsetMs, uncertaintyMs, next, bytesPerSecond: 0 },
      ]);
    }
  }

  #request(now: Ms): void {
    const numbers = this.holes.due(now, REQUEST_MAX);
    const [session, stream] = this.#quickest(now) ?? [];
    if (numbers.length === 0 || session === undefined || stream === undefined) return;
    this.requested += numbers.length;
    const request: RequestPacket = { stream, flags: 0, ranges: rangesOf(numbers) };
    session.sendRequest(now, request);
  }

  /** The session that answers soonest, of those heard lately. */
  #quickest(now: Ms): [Session, number] | undefined {
    let best: [Session, number] | undefined;
    let bestMs = Number.POSITIVE_INFINITY;
    for (const [session, index] of this.#bound) {
      if (!session.isOpen) continue;
      const waitMs = session.srttMs() + (now - session.lastReceivedAt);
      if (waitMs >= bestMs) continue;
      best = [session, index];
      bestMs = waitMs;
    }
    return best;
  }
}

/** Numbers that follow one another as ranges. */
export function rangesOf(numbers: readonly number[]): FragmentRange[] {
  const ranges: { first: number; count: number }[] = [];
  for (const number of numbers) {
    const last = ranges[ranges.length - 1];
    if (last !== undefined && (last.first + last.count) >>> 0 === number) last.count++;
    else ranges.push({ first: number, count: 1 });
  }
  return ranges;
}
