/**
 * What a peer knows by itself about one neighbour, and how that becomes the inputs of the network. Every input is put
 * into about −1..1 by x / (x + typical), which needs no range known beforehand, keeps its finest resolution around the
 * typical value, and uses only operations that IEEE 754 fixes to the bit: a score is the same on every machine.
 */
import { assert } from "../base/assert.ts";

/** All of it measured or told by the neighbour itself; nothing that only the edge or a simulator could know. */
export interface NeighbourFeatures {
  /** Smoothed round trip of the session and its mean deviation, ms (RFC 9002 §5.3). */
  rttMs: number;
  rttVarMs: number;
  /** Share of packets lost towards the neighbour, 0..1. */
  lossRate: number;
  /** Requests answered in time / asked, smoothed by `smoothHitRate`, 0..1; `HIT_RATE_UNKNOWN` when never asked. */
  hitRate: number;
  /** Mean time from request to answer, ms; the RTT when never asked. */
  answerMs: number;
  /** For how long it has been a neighbour, ms. */
  ageMs: number;
  /** Whether the edge named it as of our ISP/region. */
  sameRegion: boolean;
  /** Uplink that its latest MAP says it has to spare, bit/s. */
  spareBps: number;
  /** Our requests to it that are not yet answered. */
  inFlight: number;
}

/** Hit rate of a neighbour that was never asked. */
export const HIT_RATE_UNKNOWN = 0.5;

/** Weight of the latest request: the last 8 or so count, so that one that turns slow is known within seconds. */
const HIT_RATE_GAIN = 1 / 8;

/** The hit rate after one more request; `wasServed`: answered within its budget. */
export function smoothHitRate(hitRate: number, wasServed: boolean): number {
  return hitRate + ((wasServed ? 1 : 0) - hitRate) * HIT_RATE_GAIN;
}

/** Inputs of the network; the order is part of the trained weights. */
export const NEIGHBOUR_INPUTS = 12;

/**
 * Which way each input may move the score: as distance, loss or a queue grow it must not rise, as hits, spare uplink or
 * time left grow it must not fall. Age and region may count either way.
 */
export const NEIGHBOUR_SIGNS: readonly number[] = [-1, -1, -1, 1, -1, 0, 0, 1, -1, 1, 1, 1];

const RTT_TYPICAL_MS = 80;
const RTT_VAR_TYPICAL_MS = 15;
const LOSS_TYPICAL = 0.05;
const AGE_TYPICAL_MS = 20_000;
const SPARE_TYPICAL_BPS = 1_000_000;
const IN_FLIGHT_TYPICAL = 4;
const BUDGET_TYPICAL_MS = 150;

/** Writes the `NEIGHBOUR_INPUTS` inputs for asking a neighbour with this much time left, `budgetMs` ≥ 0. */
export function encodeNeighbour(
  features: NeighbourFeatures,
  budgetMs: number,
  inputs: Float64Array,
): void {
  assert(inputs.length === NEIGHBOUR_INPUTS, "features: room for each input");
  const { rttMs, answerMs } = features;
  inputs[0] = soften(rttMs, RTT_TYPICAL_MS);
  inputs[1] = soften(features.rttVarMs, RTT_VAR_TYPICAL_MS);
  inputs[2] = soften(features.lossRate, LOSS_TYPICAL);
  inputs[3] = 2 * features.hitRate - 1;
  inputs[4] = soften(answerMs, RTT_TYPICAL_MS);
  inputs[5] = soften(features.ageMs, AGE_TYPICAL_MS);
  inputs[6] = features.sameRegion ? 1 : -1;
  inputs[7] = soften(features.spareBps, SPARE_TYPICAL_BPS);
  inputs[8] = soften(features.inFlight, IN_FLIGHT_TYPICAL);
  inputs[9] = soften(budgetMs, BUDGET_TYPICAL_MS);
  inputs[10] = slack(budgetMs, rttMs);
  inputs[11] = slack(budgetMs, answerMs);
}

/** 0.. → −1..1, 0 at the typical value. */
function soften(value: number, typical: number): number {
  return (value - typical) / (value + typical);
}

/** −1..1: how the time left compares with the time it takes; 0 when just enough. */
function slack(budgetMs: number, neededMs: number): number {
  return budgetMs === 0 && neededMs === 0 ? 0 : (budgetMs - neededMs) / (budgetMs + neededMs);
}
