/**
 * Runs operations on the WASM and on its twin side by side and holds every result against the other's. Handles differ
 * between the two, so operations name sessions, stores and slots by their order of creation.
 *
 * Generated operations come from a fixed seed. `SHOAL_FUZZ_DEPTH=20` takes a random one and 20 times as many runs.
 */
import { expect } from "bun:test";
import fc from "fast-check";
import { type InspectableHotPath, Settled } from "../core/hot-path/hot-path.ts";
import { type HotPathKind, testHotPath } from "./testing.ts";

/** One instance and the handles it gave out. */
export class Side {
  readonly hot: InspectableHotPath;
  readonly sessions: number[] = [];
  readonly stores: number[] = [];
  readonly slots: number[] = [];

  constructor(kind: HotPathKind) {
    this.hot = testHotPath(kind, 2);
  }

  get session(): number {
    return this.sessions[0] ?? 0;
  }

  get store(): number {
    return this.stores[0] ?? 0;
  }

  slotIndex(slot: number): number {
    return this.slots.lastIndexOf(slot); /* a place taken again may bear an old handle */
  }

  /** All words of the out area that settling `count` packets has written. */
  settled(count: number): number[] {
    const words = (Settled.entriesAt + Math.max(0, count) * Settled.entryBytes) / 4;
    return [...this.hot.out.subarray(0, words)];
  }

  /** Everything a session tells of its sending side. */
  sending(): number[] {
    const { hot, session } = this;
    return [
      hot.bytesInFlight(session),
      hot.packetsInFlight(session),
      hot.lossDeadline(session),
      hot.srttMs(session),
      hot.rttVarMs(session),
      hot.minRttMs(session),
      hot.latestRttMs(session),
      hot.lossRate(session),
    ];
  }
}

export type Operation = (side: Side) => unknown;

export function compare(operations: readonly Operation[]): void {
  const wasm = new Side("wasm");
  const twin = new Side("twin");
  for (const [i, operation] of operations.entries()) {
    const got = operation(wasm);
    const expected = operation(twin);
    if (!Bun.deepEquals(got, expected)) expect({ i, result: got }).toEqual({ i, result: expected });
  }
}

/** Number spaces that begin in ordinary places and just before their wraps. */
export const firstNumber: fc.Arbitrary<number> = fc.constantFrom<number>(
  0,
  1000,
  0xfff0,
  0x7ffffff0,
  0xffffffe0,
  0xfffffffe,
);

const DEPTH = Number(Bun.env["SHOAL_FUZZ_DEPTH"] ?? 1);

export function runs(count: number): { numRuns: number; seed?: number } {
  return DEPTH > 1 ? { numRuns: count * DEPTH } : { numRuns: count, seed: 20_250_101 };
}
