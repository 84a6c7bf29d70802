/**
 * Scorers side by side on rooms that training never saw: how well they predict (on the same
 * requests, chosen at random), and how many requests are served in time when each does the
 * choosing, with paired seeds.
 */
import { Prng } from "../../base/prng.ts";
import { createScorer, type Scorer, type ScorerKind } from "../../score/scorer.ts";
import { playRoom } from "./prior-room.ts";
import type { WorldKind } from "./prior-world.ts";
import { type Quality, qualityOf } from "./quality.ts";
import { playSimWorlds } from "./sim-worlds.ts";
import type { OutcomeRecord } from "./trace.ts";
import { JUDGING_SEEDS_FROM, ROOM_NEIGHBOURS } from "./train.ts";

export interface JudgeOptions {
  readonly kind: WorldKind;
  readonly rooms: number;
  readonly seconds: number;
  readonly firstRoom?: number;
}

export type CreateScorer = (kind: ScorerKind, seed: number) => Scorer;

export const createShipped: CreateScorer = (kind, seed) => createScorer(kind, new Prng(seed));

/** Requests of simulated swarms that training never saw, neighbours chosen at random or by RTT. */
export function unseenSimRecords(
  worlds: number,
  viewers: number,
  seconds: number,
): OutcomeRecord[] {
  const seeds = Array.from({ length: worlds }, (_, i) => JUDGING_SEEDS_FROM + i);
  return playSimWorlds({ seeds, viewers, seconds }, undefined);
}

/** The same requests scored by each; no learning meanwhile. */
export function judgePredictions(
  options: JudgeOptions,
  kinds: readonly ScorerKind[],
  create: CreateScorer = createShipped,
): Record<string, Quality> {
  const records: OutcomeRecord[] = [];
  for (const seed of seedsOf(options)) {
    const room = { ...options, seed, neighbours: ROOM_NEIGHBOURS };
    playRoom(room, createShipped("random", seed), (record) => records.push(record));
  }
  const result: Record<string, Quality> = {};
  for (const kind of kinds) result[kind] = judgeRecords(records, create(kind, 1));
  return result;
}

export function judgeRecords(records: readonly OutcomeRecord[], scorer: Scorer): Quality {
  const chances = Float64Array.from(records, (record) => scorer.score(record, record.budgetMs));
  return qualityOf(
    chances,
    Float64Array.from(records, ({ served }) => (served ? 1 : 0)),
  );
}

/** Share of requests served in time in each room, when this scorer chooses (and learns). */
export function servedShares(
  options: JudgeOptions,
  kind: ScorerKind,
  create: CreateScorer = createShipped,
): number[] {
  return seedsOf(options).map((seed) => {
    const room = { ...options, seed, neighbours: ROOM_NEIGHBOURS };
    const { asked, served } = playRoom(room, create(kind, seed));
    return served / asked;
  });
}

/** Mean of the differences between pairs, and its standard error. */
export function pairedGain(
  ours: readonly number[],
  theirs: readonly number[],
): { readonly mean: number; readonly standardError: number } {
  const gains = ours.map((value, i) => value - (theirs[i] as number));
  const mean = gains.reduce((sum, gain) => sum + gain, 0) / gains.length;
  const squares = gains.reduce((sum, gain) => sum + (gain - mean) ** 2, 0);
  return { mean, standardError: Math.sqrt(squares / (gains.length - 1) / gains.length) };
}

function seedsOf({ rooms, firstRoom = 0 }: JudgeOptions): number[] {
  return Array.from({ length: rooms }, (_, i) => JUDGING_SEEDS_FROM + firstRoom + i);
}
