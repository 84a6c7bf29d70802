/**
 * One stream on its way to one edge, over the set of paths the router gave: each fragment goes where it is expected
 * first, a loss is repaired on the best other path, and only what is about to miss its time goes out twice. A relay
 * has one, too, for what it passes on. A fragment is done with when the next hop has it; what is lost beyond, the
 * receiving edge asks for.
 */
import { serialDiff } from "../../base/serial.ts";
import { type Ms, ms, NEVER } from "../../base/time.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import { SendClass } from "../../core/sending/send-queue.ts";
import type { Session } from "../../core/session/session.ts";
import type { HeapMember } from "../../core/time/timer-heap.ts";
import type { ControlMessage } from "../../wire/control.ts";
import type { FeedbackEntry, RequestPacket } from "../../wire/feedback.ts";
import { FLAG_RESENT, Phase, withPhase } from "../../wire/segment.ts";
import type { StreamInfo } from "../../wire/stream-info.ts";
import type { EpochSource } from "../intake.ts";
import { RateMeter } from "../rate-meter.ts";
import type { MeshLink } from "./mesh-link.ts";
import type { Path } from "./route-paths.ts";
import { NOTHING, type PathSet } from "./router.ts";
import { bestLeg, type Flight, Leg, repairLeg } from "./trunk-leg.ts";

/**
 * A frame is to be at the other edge within this. A repair that may miss it, should it be lost as well, goes out twice
 * where more than 1 frame in 100 would be hit: at 4 fragments a frame, from this loss on. A second repair always does.
 */
const GOAL_MS = 100;
const LOSSY = 0.05;
/** Play-out offset assumed until the other edge has told its own: repairs end there. */
const PLAYOUT_MS = 800;
/** A group to start with may take this long. */
const BURST_MS = 5000;
/** A group begun less than this ago would leave the other edge's viewers without one to start from. */
const START_AGE_MS = 1500;
/** A fragment sent less than this share of a round trip ago is not sent again on request. */
const REQUEST_SHARE = 0.8;
/** Fragments on their way; the oldest are given up when more come. */
const FLIGHTS_MAX = 16_384;
/** A receiver's uncertainty while no CLOCK has reached it (docs/WIRE.md §4). */
const CLOCK_UNKNOWN = 0xffff;

export interface TrunkHost {
  readonly hot: HotPath;
  /** The link that a path begins with. */
  linkOf(path: Path): MeshLink | undefined;
  /** Legs are found by session and index when something comes back. */
  addLeg(leg: Leg, trunk: Trunk): void;
  removeLeg(leg: Leg): void;
  /** Its timers may have changed. */
  touch(trunk: Trunk): void;
}

export class Trunk implements HeapMember {
  heapIndex = -1;
  heapDeadline = 0;
  readonly name: string;
  /** The edge at the other end. */
  readonly to: string;
  /** Passes on what another edge sends: over one hop only, and sends no group to start with. */
  readonly isRelay: boolean;
  readonly meter = new RateMeter();
  paths: PathSet = NOTHING;
  source: EpochSource | undefined;
  readonly #host: TrunkHost;
  readonly #legs: Leg[] = [];
  readonly #flights = new Map<number, Flight>();
  #playoutMs = PLAYOUT_MS;
  /** Fragments before this one belong to the burst. */
  #begun = false;
  fragmentsOut = 0;
  repaired = 0;
  doubled = 0;

  constructor(host: TrunkHost, name: string, to: string, isRelay: boolean) {
    this.#host = host;
    this.name = name;
    this.to = to;
    this.isRelay = isRelay;
  }

  get legs(): readonly Leg[] {
    return this.#legs;
  }

  /* ---------------------------------------------------------------- runs of the encoder */

  begin(now: Ms, source: EpochSource): void {
    if (this.source !== undefined) this.end(now);
    this.source = source;
    this.#begun = false;
    this.setPaths(now, this.paths);
  }

  /** The run is over. Sessions that know it, and under which index, are the caller's to forget when it has ended. */
  end(now: Ms): (readonly [Session, number])[] {
    const bound: [Session, number][] = [];
    for (const leg of this.#legs.splice(0)) {
      const { session, index } = leg;
      this.#host.removeLeg(leg);
      if (!session.isOpen) continue;
      const next = this.source?.index.next() ?? 0;
      session.sendControl(now, { t: "ended", index, next });
      bound.push([session, index]);
    }
    this.#flights.clear();
    this.source = undefined;
    this.#host.touch(this);
    return bound;
  }

  /* ---------------------------------------------------------------- paths */

  setPaths(now: Ms, paths: PathSet): void {
    this.paths = paths;
    const { source } = this;
    if (source === undefined) return;
    const wanted = [...paths.active, ...paths.spare];
    for (const leg of [...this.#legs]) {
      const path = wanted.find(({ id }) => id === leg.path.id);
      if (path === undefined || !leg.isUsable) this.#drop(now, leg, path === undefined);
    }
    for (const path of wanted) {
      const known = this.#legs.find((leg) => leg.path.id === path.id);
      const leg = known ?? this.#open(now, path, source);
      if (leg !== undefined) leg.isActive = paths.active.includes(path);
    }
    for (const leg of this.#legs) {
      leg.isActive = paths.active.some(({ id }) => id === leg.path.id);
      leg.link.setActive(now, true);
    }
    if (!this.#begun && this.#legs.length > 0) {
      this.#begun = true;
      if (!this.isRelay) this.#burst(now, source);
    }
    for (const flight of this.#flights.values()) {
      if (flight.leg === undefined) bestLeg(this.#legs, undefined, true)?.send(now, flight);
    }
    this.#host.touch(this);
  }

  #open(now: Ms, path: Path, source: EpochSource): Leg | undefined {
    const link = this.#host.linkOf(path);
    const session = link?.session;
    if (link === undefined || session === undefined || !link.canCarry) return undefined;
    const leg = new Leg(path, link, session, session.nextStreamIndex());
    session.sources.set(leg.index, { store: source.index.store });
    this.#legs.push(leg);
    this.#host.addLeg(leg, this);
    session.sendControl(now, this.#announcement(leg, source));
    this.sendClock(now, leg);
    return leg;
  }

  #announcement(leg: Leg, source: EpochSource): ControlMessage {
    const { name, id, epoch } = source.stream;
    const next = source.index.next();
    const info: StreamInfo = { index: leg.index, name, id, epoch, first: next, next };
    return leg.path.links.length === 1
      ? { t: "stream", ...info }
      : { t: "relay", to: this.to, ...info };
  }

  /** A path that is left takes no more; one whose session stands is told so when nobody else needs it. */
  #drop(now: Ms, leg: Leg, isLeft: boolean): void {
    this.#legs.splice(this.#legs.indexOf(leg), 1);
    this.#rescue(now, leg);
    this.#host.removeLeg(leg);
    const { session, index } = leg;
    if (!session.isOpen) return;
    if (isLeft && leg.path.links.length > 1) {
      session.sendControl(now, { t: "ended", index, next: this.source?.index.next() ?? 0 });
    }
    session.queue.dropStream(index);
    session.sources.delete(index);
  }

  /** What was on its way by `leg` only goes by another, and what a relay has taken but may not have passed on. */
  #rescue(now: Ms, leg: Leg): void {
    for (const flight of leg.takePassed(now)) this.#flights.set(flight.number, flight);
    for (const flight of this.#flights.values()) {
      if (flight.leg !== leg) continue;
      flight.out = 0;
      this.#repair(now, flight, leg);
    }
  }

  /** The link has died, or is about to be left. */
  handleLinkDown(now: Ms, link: MeshLink): void {
    for (const leg of this.#legs) if (leg.link === link) this.#rescue(now, leg);
    this.#host.touch(this);
  }

  /* ---------------------------------------------------------------- media */

  /** A fragment is here. */
  fragment(
    now: Ms,
    number: number,
    index: number,
    total: number,
    flags: number,
    bytes: number,
  ): void {
    const { source } = this;
    if (source === undefined) return;
    this.meter.count(now, bytes);
    const capturedAt = source.index.capturedAt(number, now);
    const deadline = ms(Math.max(capturedAt + this.#playoutMs, now + GOAL_MS));
    const phase = withPhase(flags & ~FLAG_RESENT, Phase.push);
    this.#launch(now, number, index, total, phase, bytes, deadline, SendClass.push);
  }

  #launch(
    now: Ms,
    number: number,
    index: number,
    total: number,
    flags: number,
    bytes: number,
    deadline: Ms,
    sendClass: Flight["sendClass"],
  ): void {
    const flight: Flight = {
      number,
      index,
      total,
      flags,
      bytes,
      bornAt: now,
      deadline,
      sendClass,
      out: 0,
      sentAt: now,
      leg: undefined,
      rounds: 0,
    };
    this.#flights.set(number, flight);
    if (this.#flights.size > FLIGHTS_MAX) this.#giveUpOldest();
    this.fragmentsOut++;
    const leg = bestLeg(this.#legs, undefined, true);
    if (leg !== undefined) leg.send(now, flight);
    this.#host.touch(this);
  }

  #giveUpOldest(): void {
    const oldest = this.#flights.keys().next();
    if (oldest.done !== true) this.#flights.delete(oldest.value);
  }

  #burst(now: Ms, source: EpochSource): void {
    const { index } = source;
    const from = index.groupStartBefore(now, START_AGE_MS);
    const deadline = ms(now + BURST_MS);
    for (let number = from; serialDiff(index.next(), number) > 0; number = (number + 1) >>> 0) {
      this.#launchStored(now, source, number, deadline, SendClass.burst, Phase.start);
    }
  }

  #launchStored(
    now: Ms,
    source: EpochSource,
    number: number,
    deadline: Ms,
    sendClass: Flight["sendClass"],
    phase: Phase,
  ): boolean {
    const { hot } = this.#host;
    const { store } = source.index;
    const slot = hot.fragmentSlot(store, number);
    if (slot === 0 || !hot.fragmentInfo(store, number)) return false;
    const [index = 0, total = 0, flags = 0] = [hot.out[0], hot.out[1], hot.out[2]];
    const bytes = hot.payloadLength(slot);
    const wire = withPhase(flags & ~FLAG_RESENT, phase);
    this.#launch(now, number, index, total, wire, bytes, deadline, sendClass);
    return true;
  }

  /* ---------------------------------------------------------------- what became of it */

  handleAcked(leg: Leg, number: number): void {
    leg.handleAcked(this.#flights.get(number));
    this.#flights.delete(number);
  }

  handleLost(now: Ms, leg: Leg, number: number): void {
    leg.handleLost();
    const flight = this.#flights.get(number);
    if (flight === undefined) return;
    flight.out--;
    if (flight.out <= 0) this.#repair(now, flight, leg);
  }

  /** It waited in the queue for too long, or is no longer kept. */
  handleDropped(first: number, count: number): void {
    for (let i = 0; i < count; i++) this.#flights.delete((first + i) >>> 0);
  }

  #repair(now: Ms, flight: Flight, lostOn: Leg): void {
    const leg = repairLeg(this.#legs, lostOn, flight.bornAt + GOAL_MS - now);
    if (leg === undefined) return; /* sent as soon as there is a leg, or asked for */
    if (now + leg.expectedMs() > flight.deadline) {
      this.#flights.delete(flight.number);
      return;
    }
    this.repaired++;
    flight.rounds++;
    leg.send(now, flight);
    const again = now + leg.expectedMs() + leg.link.lateMs;
    const isLossy = leg.path.loss > LOSSY && again > flight.bornAt + GOAL_MS;
    const isLastRound = isLossy || flight.rounds > 1 || again > flight.deadline;
    const second = isLastRound ? bestLeg(this.#legs, leg, false) : undefined;
    if (second === undefined || second === leg || second.isSuspect) return;
    this.doubled++;
    second.send(now, flight);
  }

  /* ---------------------------------------------------------------- from the other edge */

  /** It misses these; returns those that are not here. */
  handleRequest(now: Ms, request: RequestPacket, from: Leg): { first: number; count: number }[] {
    const missing: { first: number; count: number }[] = [];
    for (const { first, count } of request.ranges) {
      for (let i = 0; i < count; i++) {
        const number = (first + i) >>> 0;
        if (!this.#answer(now, number, from)) missing.push({ first: number, count: 1 });
      }
    }
    this.#host.touch(this);
    return missing;
  }

  #answer(now: Ms, number: number, from: Leg): boolean {
    const { source } = this;
    if (source === undefined) return false;
    const flight = this.#flights.get(number);
    if (flight !== undefined) {
      const isRecent = now - flight.sentAt < from.link.meter.rttMs * REQUEST_SHARE;
      if (flight.out === 0 || !isRecent) this.#repair(now, flight, flight.leg ?? from);
      return true;
    }
    const deadline = ms(now + GOAL_MS + this.#playoutMs);
    const isHere = this.#launchStored(now, source, number, deadline, SendClass.push, Phase.pull);
    if (isHere) this.repaired++;
    return isHere;
  }

  handleFeedback(now: Ms, leg: Leg, entry: FeedbackEntry): void {
    if (entry.uncertaintyMs === CLOCK_UNKNOWN) this.sendClock(now, leg);
    if (entry.playOutOffsetMs > 0) this.#playoutMs = entry.playOutOffsetMs;
  }

  sendClocks(now: Ms): void {
    for (const leg of this.#legs) this.sendClock(now, leg);
  }

  sendClock(now: Ms, leg: Leg): void {
    const { source } = this;
    if (source === undefined || !source.clock.ready || !leg.session.isOpen) return;
    const captureOffsetMs = source.clock.offsetMs(now);
    const uncertaintyMs = source.clock.uncertaintyMs(now);
    const frontier = source.index.next();
    leg.session.sendClock(now, [{ stream: leg.index, captureOffsetMs, uncertaintyMs, frontier }]);
  }

  /* ---------------------------------------------------------------- timers */

  readonly #isSettled = (flight: Flight): boolean => this.#flights.get(flight.number) !== flight;

  nextTimeout(): Ms {
    let at: number = NEVER;
    for (const leg of this.#legs) at = Math.min(at, leg.nextLateAt(this.#isSettled));
    return ms(at);
  }

  /** Fragments not acknowledged in time go by another leg; the first leg may yet deliver them. */
  handleTimeout(now: Ms): void {
    for (const leg of [...this.#legs]) {
      for (;;) {
        const flight = leg.takeLate(now, this.#isSettled);
        if (flight === undefined) break;
        if (flight.leg === leg) this.#repair(now, flight, leg);
      }
    }
  }
}
