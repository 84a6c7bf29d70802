/**
 * Holes and whom to ask: a neighbour whose MAP shows the fragment, drawn with probability by score, one at a time;
 * the edge for what is about to be played or what nobody near has. What was asked is remembered until it comes or is
 * given up.
 */
import type { Random } from "../../base/prng.ts";
import { type Ms, ms } from "../../base/time.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import type { PlayBuffer } from "../../core/play/play-buffer.ts";
import type { SegmentIndex } from "../../core/segments/segment-index.ts";
import type { Session } from "../../core/session/session.ts";
import type { NeighbourFeatures } from "../../score/features.ts";
import { drawWeighted } from "../../score/pick.ts";
import { AnswerCode, type AnswerPacket, RequestFlag } from "../../wire/feedback.ts";
import type { SwarmParams } from "../swarm-params.ts";
import type { Neighbour, Neighbours } from "./neighbours.ts";
import type { Parents } from "./parents.ts";
import type { Playback } from "./playback.ts";

/** Ranges looked at, and asked for in one packet. */
const RANGES_MAX = 48;
const ASKED_MAX = 2048;
/** What has not come by this share of the play-out delay is asked for, however late its parent usually is. */
const LATE_SHARE = 0.45;
/** A pull needs this long before the edge is asked instead. */
const PULL_MS_MIN = 150;
/** Holes looked at in one go. */
const MISSING_MAX = 256;
/** Between two requests to the edge for the same fragment at least this, beyond the RTT. */
const EDGE_AGAIN_MS = 40;
/** A MAP older than this says little. */
const MAP_LIFE_MS = 3000;

interface Asked {
  neighbour: Neighbour | undefined;
  at: Ms;
  until: Ms;
  /** Time it had, and the neighbour as it was when it was asked: what the scorer learns from. */
  budgetMs: number;
  features: NeighbourFeatures | undefined;
  edgeAgainAt: Ms;
  /** Asked of neighbours so often. */
  tries: number;
}

interface Range {
  first: number;
  count: number;
}

export class Puller {
  readonly #params: SwarmParams;
  readonly #random: Random;
  readonly #neighbours: Neighbours;
  readonly #asked = new Map<number, Asked>();
  readonly #weights: number[] = [];
  readonly #able: Neighbour[] = [];
  readonly #numbers: number[] = [];
  #isLastChance = false;
  #inFlight = 0;
  requests = 0;
  edgeRequests = 0;

  constructor(params: SwarmParams, random: Random, neighbours: Neighbours) {
    this.#params = params;
    this.#random = random;
    this.#neighbours = neighbours;
  }

  /**
   * Asks for what is missing now: what is later than its parent usually is, first of that parent (it was lost on the
   * way), then of neighbours; what is about to be played, of the edge.
   */
  ask(now: Ms, playback: Playback, parents: Parents, edge: Session | undefined): void {
    this.#giveUp(now);
    const { buffer, intake, edgeIndex } = playback;
    const byNeighbour = new Map<Neighbour, Range[]>();
    const from = buffer.wantedFrom();
    const missing = this.#missing(playback.hot, intake.index, from);
    const playoutMs = buffer.playoutMs(now);
    const lateMs = Math.max(playoutMs * LATE_SHARE, buffer.compensateFromMs - PULL_MS_MIN);
    for (let i = 0; i < missing; i++) {
      const number = this.#numbers[i] as number;
      const k = number % this.#params.subStreams;
      const ageMs = intake.index.ageOf(number, now);
      const parent = parents.parentOf(k);
      /* What the edge pushes, it repairs by itself: that takes its round trip more. */
      const patienceMs = parent === undefined ? (edge?.srttMs() ?? 0) + EDGE_AGAIN_MS : 0;
      if (ageMs < Math.min(parents.lateAfterMs(k), lateMs) + patienceMs) continue;
      /* What has no time left is the lead-in of a start, its sender's to repair, or given up. */
      if (ageMs >= playoutMs) continue;
      this.#pull(now, number, playoutMs - ageMs, parent, byNeighbour);
    }
    for (const [neighbour, ranges] of byNeighbour) {
      this.requests += ranges.length;
      send(now, neighbour.session, neighbour.index, RequestFlag.pull, ranges);
    }
    if (edge === undefined || edgeIndex === 0) return;
    const urgent: Range[] = [];
    this.#isLastChance = false;
    for (const range of buffer.holesToAsk(now, RANGES_MAX)) {
      if (range.zone !== "compensate") continue;
      for (let i = 0; i < range.count; i++) {
        this.#compensate(now, (range.first + i) >>> 0, range.deadline - now, edge, urgent);
      }
    }
    if (urgent.length === 0) return;
    this.edgeRequests += urgent.length;
    send(now, edge, edgeIndex, RequestFlag.urgent, urgent);
    /* The last request that can still be answered in time must not be lost; the edge answers one of the two. */
    if (this.#isLastChance) send(now, edge, edgeIndex, RequestFlag.urgent, urgent);
  }

  /** Missing fragments from `from` to the newest seen, to `#numbers`; how many. */
  #missing(hot: HotPath, index: SegmentIndex, from: number): number {
    const count = index.holes(from, index.next(), MISSING_MAX);
    for (let i = 0; i < count; i++) this.#numbers[i] = (hot.out[i] as number) >>> 0;
    return count;
  }

  #pull(
    now: Ms,
    number: number,
    budgetMs: number,
    parent: Session | undefined,
    into: Map<Neighbour, Range[]>,
  ): void {
    const before = this.#asked.get(number);
    if (before?.neighbour !== undefined || this.#inFlight >= this.#params.pullsInFlightMax) return;
    const isFirst = before === undefined || before.tries === 0;
    const ofParent = isFirst && parent !== undefined ? this.#neighbours.of(parent) : undefined;
    const isAble = ofParent !== undefined && ofParent.index !== 0;
    const neighbour = isAble
      ? ofParent
      : this.#choose(now, number, Math.max(0, budgetMs), 1 + (before?.tries ?? 0));
    if (neighbour === undefined) return;
    const asked = before ?? this.#newAsked(number, now);
    const patienceMs = this.#patienceMs(neighbour) * (1 + asked.tries);
    asked.neighbour = neighbour;
    asked.at = now;
    asked.until = ms(now + patienceMs);
    asked.budgetMs = Math.max(0, Math.min(budgetMs, patienceMs));
    asked.features = this.#neighbours.featuresOf(now, neighbour);
    asked.tries++;
    neighbour.inFlight++;
    this.#inFlight++;
    const ranges = into.get(neighbour);
    if (ranges === undefined) into.set(neighbour, [{ first: number, count: 1 }]);
    else append(ranges, number);
  }

  /** After that long without an answer another one is asked; each time longer. */
  #patienceMs(neighbour: Neighbour): number {
    return neighbour.session.srttMs() + this.#params.pullPatienceMs;
  }

  #choose(now: Ms, number: number, leftMs: number, tries: number): Neighbour | undefined {
    const able = this.#able;
    const weights = this.#weights;
    able.length = 0;
    weights.length = 0;
    for (const neighbour of this.#neighbours.list) {
      if (!neighbour.has(number) || now - neighbour.mapAt > MAP_LIFE_MS) continue;
      if (neighbour.index === 0) continue;
      const budgetMs = Math.min(leftMs, this.#patienceMs(neighbour) * tries);
      able.push(neighbour);
      weights.push(this.#neighbours.scoreOf(now, neighbour, budgetMs));
    }
    const at = drawWeighted(weights, able.length, this.#random);
    return at < 0 ? undefined : able[at];
  }

  #compensate(
    now: Ms,
    number: number,
    budgetMs: number,
    edge: Session | undefined,
    urgent: Range[],
  ): void {
    if (edge === undefined || urgent.length >= RANGES_MAX) return;
    const asked = this.#asked.get(number) ?? this.#newAsked(number, now);
    if (now < asked.edgeAgainAt) return;
    /* A neighbour's answer that may still come in time is waited for. */
    const rttMs = edge.srttMs();
    if (asked.neighbour !== undefined && budgetMs > 2 * (rttMs + EDGE_AGAIN_MS)) return;
    asked.edgeAgainAt = ms(now + rttMs + EDGE_AGAIN_MS);
    if (budgetMs < 2 * rttMs + EDGE_AGAIN_MS) this.#isLastChance = true;
    append(urgent, number);
  }

  #newAsked(number: number, now: Ms): Asked {
    if (this.#asked.size >= ASKED_MAX) {
      for (const old of this.#asked.keys()) {
        this.#forget(old);
        break;
      }
    }
    const asked: Asked = {
      neighbour: undefined,
      at: now,
      until: now,
      budgetMs: 0,
      features: undefined,
      edgeAgainAt: ms(Number.NEGATIVE_INFINITY),
      tries: 0,
    };
    this.#asked.set(number, asked);
    return asked;
  }

  #forget(number: number): void {
    const asked = this.#asked.get(number);
    if (asked === undefined) return;
    this.#asked.delete(number);
    this.#release(asked);
  }

  /** The counters and the scorer learn what became of a request. */
  #settle(asked: Asked, isServed: boolean, tookMs: number): void {
    const { neighbour, features, budgetMs } = asked;
    if (neighbour === undefined || features === undefined) return;
    this.#neighbours.handleOutcome(neighbour, features, budgetMs, isServed, tookMs);
    this.#release(asked);
  }

  #release(asked: Asked): void {
    if (asked.neighbour === undefined) return;
    asked.neighbour.inFlight--;
    asked.neighbour = undefined;
    this.#inFlight--;
  }

  /** Requests that have run out of time count against who was asked. */
  #giveUp(now: Ms): void {
    for (const [number, asked] of this.#asked) {
      const { neighbour } = asked;
      if (neighbour !== undefined && now >= asked.until) {
        this.#settle(asked, false, 0);
      } else if (neighbour === undefined && now - asked.at > MAP_LIFE_MS) this.#forget(number);
    }
  }

  /** A fragment has come, from whomever. */
  handleFresh(now: Ms, number: number, from: Session): void {
    const asked = this.#asked.get(number);
    if (asked === undefined) return;
    const { neighbour } = asked;
    if (neighbour !== undefined && neighbour.session === from) {
      this.#settle(asked, true, now - asked.at);
    }
    this.#forget(number);
  }

  /** A neighbour says it does not have it, or the edge that it cannot now or ever. */
  handleAnswer(now: Ms, answer: AnswerPacket, buffer: PlayBuffer, isEdge: boolean): void {
    for (const { first, count } of answer.ranges) {
      if (isEdge && answer.code === AnswerCode.gone) buffer.handleGone(first, count);
      for (let i = 0; i < Math.min(count, ASKED_MAX); i++) {
        const asked = this.#asked.get((first + i) >>> 0);
        if (asked === undefined) continue;
        if (isEdge) asked.edgeAgainAt = ms(now + Math.max(answer.retryMs, EDGE_AGAIN_MS));
        else if (asked.neighbour !== undefined) this.#settle(asked, false, 0);
      }
    }
  }

  /** A neighbour is gone: what it was asked for is asked of others. */
  handleGone(neighbour: Neighbour): void {
    for (const asked of this.#asked.values()) {
      if (asked.neighbour === neighbour) this.#release(asked);
    }
  }

  clear(): void {
    for (const number of [...this.#asked.keys()]) this.#forget(number);
  }
}

function append(ranges: Range[], number: number): void {
  const last = ranges[ranges.length - 1];
  if (last !== undefined && (last.first + last.count) >>> 0 === number) last.count++;
  else ranges.push({ first: number, count: 1 });
}

function send(
  now: Ms,
  session: Session,
  stream: number,
  flags: number,
  ranges: readonly Range[],
): void {
  for (let i = 0; i < ranges.length; i += 64) {
    session.sendRequest(now, { stream, flags, ranges: ranges.slice(i, i + 64) });
  }
}
