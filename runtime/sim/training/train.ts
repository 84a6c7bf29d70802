/**
 * From a seed to the scorer's weights. Without traces it learns from rooms of the synthetic prior
 * in two rounds: first with neighbours chosen at random and by RTT, then also as the network of the
 * first round chooses, since what a peer learns of its neighbours depends on whom it asks. With
 * traces of the simulator it learns from those instead.
 */
import { Prng } from "../../base/prng.ts";
import { encodeNeighbour, NEIGHBOUR_INPUTS } from "../../score/features.ts";
import { createScorer, LINEAR_SHAPE, MLP_SHAPE, TrainedScorer } from "../../score/scorer.ts";
import { type Examples, type FitOptions, fit } from "./fit.ts";
import { playRoom } from "./prior-room.ts";
import type { OutcomeRecord } from "./trace.ts";

export interface TrainOptions {
  readonly seed: number;
  /** Rooms of the prior a round; three quarters choose anew in the second. */
  readonly rooms: number;
  /** Virtual seconds of each room. */
  readonly seconds: number;
  readonly epochs: number;
}

export const TRAIN_DEFAULTS: TrainOptions = { seed: 1, rooms: 200, seconds: 60, epochs: 8 };

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

export function trainOnPrior(options: TrainOptions): Trained {
  const records: OutcomeRecord[] = [];
  playRooms(options, 0, records, undefined);
  const first = fitBoth(records, options);
  playRooms(options, options.rooms, records, first.mlp);
  return fitBoth(records, options);
}

/** Traces of the simulator instead of the prior. */
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
    const seed = roomSeed(options.seed, i);
    const chooser =
      mlp !== undefined && i % 4 !== 0
        ? new TrainedScorer("mlp", mlp)
        : createScorer(i % 2 === 0 ? "random" : "rtt", new Prng(seed));
    const { seconds } = options;
    playRoom({ kind: "familiar", seed, neighbours: ROOM_NEIGHBOURS, seconds }, chooser, (record) =>
      records.push(record),
    );
  }
}

/** Disjoint for different rooms of one seed, and always below `JUDGING_SEEDS_FROM`. */
function roomSeed(seed: number, room: number): number {
  return (seed * 100_003 + room) % JUDGING_SEEDS_FROM;
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
