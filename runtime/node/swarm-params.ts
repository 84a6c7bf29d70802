/**
 * Every number that governs the swarm, in one place (docs/SWARM.md says what each does, docs/SIMULATOR.md how each was
 * tuned). A scenario may override them; relations between them are asserted when they are put together.
 */
import { assert } from "../base/assert.ts";

export interface SwarmParams {
  /** K: sub-streams, fragment number mod K. 1..32 */
  readonly subStreams: number;
  /** C: children per slot at most. 1..255 */
  readonly childrenMax: number;
  /** Children a fresh slot takes; doubled each `rampMs` while its uplink is not congested. */
  readonly childrenFirst: number;
  readonly rampMs: number;
  /** Share of a peer's uplink that pushes may take, 0..0.8; and while there is enough for everybody. */
  readonly pushShare: number;
  readonly pushShareCalm: number;
  /** Share of its measured uplink that a peer uploads at most, answers to requests included. */
  readonly uploadShareMax: number;
  /** Slots offer this many times the demand; above the second figure some are relieved. */
  readonly slotHeadroom: number;
  readonly slotReliefAbove: number;
  /** Room that must be left in a sub-stream's slots when one of them is merged into the others, share of the demand. */
  readonly slotSpare: number;
  readonly recruitMs: number;
  /** Uplink that a peer is thought to have before anything was seen of it, bit/s. */
  readonly uplinkGuessBps: number;
  /** Bitrate that a stream is thought to have until it was measured, bit/s. */
  readonly bitrateGuessBps: number;
  /** Packets of the train from which the edge first learns a peer's uplink; the share of it that is believed. */
  readonly trainPackets: number;
  readonly trainShare: number;
  /** Above this queueing delay a super node counts as congested, ms. */
  readonly congestedQueueMs: number;
  /** Rooms smaller than this have neither slots nor neighbours. */
  readonly smallRoom: number;
  /** Neighbours at most; candidates named at a time, and the share of them that is random. */
  readonly neighboursMax: number;
  readonly candidates: number;
  readonly candidatesRandomShare: number;
  readonly replaceMs: number;
  readonly replaceShare: number;
  /** A candidate must beat the one it replaces by this factor. */
  readonly replaceHysteresis: number;
  /** Each neighbour gets a MAP this often at most, at a random phase; more seldom beyond so many maps a second. */
  readonly gossipMs: number;
  readonly mapsPerSecond: number;
  /** A request to a neighbour is given up after RTT and this. */
  readonly pullPatienceMs: number;
  readonly pullsInFlightMax: number;
  /** A parent silent for this long while other sub-streams go on is dead. */
  readonly parentDeadMs: number;
  /** A parent that did not answer its CONNECT by then is not had. */
  readonly parentConnectMs: number;
  readonly reportMs: number;
  /**
   * Compensation: fragments/s and burst of one peer, and what the edge spends on all, as a share of the stream's
   * demand.
   */
  readonly compensatePerPeer: number;
  readonly compensateShare: number;
  /**
   * A fragment asked for by this many peers (or this share of the viewers) within the window is pushed again to
   * its slots.
   */
  readonly censusPeers: number;
  readonly censusShare: number;
  readonly censusWindowMs: number;
}

export const SWARM_PARAMS: SwarmParams = createSwarmParams({});

/** @throws AssertionError when the relations between the parameters do not hold. */
export function createSwarmParams(over: Partial<SwarmParams>): SwarmParams {
  const params: SwarmParams = Object.freeze({
    subStreams: 16,
    childrenMax: 60,
    childrenFirst: 5,
    rampMs: 500,
    pushShare: 0.6,
    pushShareCalm: 0.4,
    uploadShareMax: 0.8,
    slotHeadroom: 1.1,
    slotReliefAbove: 1.25,
    slotSpare: 0.1,
    recruitMs: 500,
    uplinkGuessBps: 1_200_000,
    bitrateGuessBps: 1_000_000,
    trainPackets: 16,
    trainShare: 0.8,
    congestedQueueMs: 120,
    smallRoom: 6,
    neighboursMax: 40,
    candidates: 16,
    candidatesRandomShare: 0.3,
    replaceMs: 10_000,
    replaceShare: 0.1,
    replaceHysteresis: 1.2,
    gossipMs: 1000,
    mapsPerSecond: 25,
    pullPatienceMs: 40,
    pullsInFlightMax: 64,
    parentDeadMs: 500,
    parentConnectMs: 400,
    reportMs: 1000,
    compensatePerPeer: 96,
    compensateShare: 0.25,
    censusPeers: 8,
    censusShare: 0.05,
    censusWindowMs: 300,
    ...over,
  });
  assert(params.subStreams >= 1 && params.subStreams <= 32, "swarm: 1..32 sub-streams");
  assert(params.childrenMax >= 1 && params.childrenMax <= 255, "swarm: 1..255 children a slot");
  assert(params.childrenFirst <= params.childrenMax, "swarm: first children within the bound");
  assert(params.slotReliefAbove > params.slotHeadroom, "swarm: relief above recruiting");
  assert(params.uploadShareMax > 0 && params.uploadShareMax <= 0.8, "swarm: 80 % of the uplink");
  assert(
    params.pushShare > 0 && params.pushShare <= params.uploadShareMax,
    "swarm: pushes within what may be uploaded",
  );
  assert(params.pushShareCalm <= params.pushShare, "swarm: calm is not more than all");
  assert(params.replaceHysteresis > 1, "swarm: replacing needs an advantage");
  return params;
}
