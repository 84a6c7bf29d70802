/**
 * From a seed to the scorer's weights. It learns from rooms of the synthetic prior and from simulated swarms, in two
 * rounds: first with neighbours chosen at random and by RTT, then also as the network of the first round chooses, since
 * what a peer knows of its neighbours depends on whom it asks. Recorded traces may stand in for both.
 */
import { Prng } from "../../base/prng.ts";
import { encodeNeighbour, NEIGHBOUR_INPUTS } from "../../score/features.ts";
import { createScorer, LINEAR_SHAPE, MLP_SHAPE, TrainedScorer } from "../../score/scorer.ts";
import { type Examples, type FitOptions, fit } from "./fit.ts";
import { playRoom } from "./prior-room.ts";
import { playSimWorlds } from "./sim-worlds.ts";
import type { OutcomeRecord } from "./trace.ts";

export interface TrainOptions {
  readonly seed: number;
  /** Rooms of the prior a round, and virtual seconds of each. */
  readonly rooms: number;
  readonly roomSeconds: number;
  /** Simulated swarms a round, viewers and virtual seconds of each. */
  readonly worlds: number;
  readonly viewers: number;
  readonly worldSeconds: number;
  readonly epochs: number;
}

export const TRAIN_DEFAULTS: TrainOptions = {
  seed: 1,
  rooms: 60,
  roomSeconds: 60,
  worlds: 16,
  viewers: 60,
  worldSeconds: 20,
  epochs: 8,
};

export interface Trained {
  readonly mlp: Float32Array;
  readonly linear: Float32Array;
  readonly records: number;
  readonly served: number;
}

/** Neighbours of a room of the prior. */
export const ROOM_NEIGHBOURS = 40;

/**
 * Rooms for judging take seeds from here on, rooms for training stay below: the two never meet,
 * whatever the seed.
 */
export const JUDGING_SEEDS_FROM = 0x8000_0000;

export function train(options: TrainOptions): Trained {
  const records: OutcomeRecord[] = [];
  addRound(options, 0, records, undefined);
  const first = fitBoth(records, options);
  addRound(options, 1, records, first.mlp);
  return fitBoth(records, options);
}

function addRound(
  options: TrainOptions,
  round: number,
  records: OutcomeRecord[],
  mlp: Float32Array | undefined,
): void {
  const { seed, worlds, viewers, worldSeconds: seconds } = options;
  playRooms(options, round * options.rooms, records, mlp);
  const seeds = Array.from({ length: worlds }, (_, i) => runSeed(seed, round * worlds + i));
  for (const record of playSimWorlds({ seeds, viewers, seconds }, mlp)) records.push(record);
}

/** Traces instead of rooms and worlds. */
export function trainOnRecords(records: readonly OutcomeRecord[], options: TrainOptions): Trained {
  return fitBoth(records, options);
}

function playRooms(
  options: TrainOptions,
  from: number,
  records: OutcomeRecord[],
  mlp: Float32Array | undefined,
): void {
  for (let i = from; i < from + options.rooms; i++) {
    const seed = runSeed(options.seed, i);
    const chooser =
      mlp !== undefined && i % 4 !== 0
        ? new TrainedScorer("mlp", mlp)
        : createScorer(i % 2 === 0 ? "random" : "rtt", new Prng(seed));
    const { roomSeconds: seconds } = options;
    playRoom({ kind: "familiar", seed, neighbours: ROOM_NEIGHBOURS, seconds }, chooser, (record) =>
      records.push(record),
    );
  }
}

/** Another for each room or world of one training, and always below `JUDGING_SEEDS_FROM`. */
function runSeed(seed: number, run: number): number {
  return (seed * 100_003 + run) % JUDGING_SEEDS_FROM;
}

function fitBoth(records: readonly OutcomeRecord[], { seed, epochs }: TrainOptions): Trained {
  const examples = examplesOf(records);
  const options: FitOptions = { epochs, batch: 64, rate: 0.005, decay: 1e-4 };
  return {
    mlp: fit(MLP_SHAPE, examples, options, new Prng(seed)),
    linear: fit(LINEAR_SHAPE, examples, options, new Prng(seed)),
    records: records.length,
    served: records.filter(({ served }) => served).length,
  };
}

export function examplesOf(records: readonly OutcomeRecord[]): Examples {
  const inputs = new Float64Array(records.length * NEIGHBOUR_INPUTS);
  const targets = new Float64Array(records.length);
  for (const [row, record] of records.entries()) {
    const from = row * NEIGHBOUR_INPUTS;
    encodeNeighbour(record, record.budgetMs, inputs.subarray(from, from + NEIGHBOUR_INPUTS));
    targets[row] = record.served ? 1 : 0;
  }
  return { count: records.length, inputs, targets };
}
