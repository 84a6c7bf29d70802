import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createShipped, judgePredictions, pairedGain, servedShares } from "./judge.ts";
import { playRoom } from "./prior-room.ts";
import type { OutcomeRecord } from "./trace.ts";
import { parseTrace, traceHeaderLine, traceLine } from "./trace.ts";
import { type TrainOptions, train, trainOnRecords } from "./train.ts";
import { weightsModule } from "./weights-module.ts";

/* A swarm is much to run on a machine with much else to do. */
setDefaultTimeout(60_000);

const SMALL: TrainOptions = {
  seed: 5,
  rooms: 4,
  roomSeconds: 20,
  worlds: 1,
  viewers: 6,
  worldSeconds: 4,
  epochs: 1,
};
const JUDGED = { rooms: 12, seconds: 30, firstRoom: 1000 };

function recordsOf(seed: number): OutcomeRecord[] {
  const records: OutcomeRecord[] = [];
  const room = { kind: "familiar", seed, neighbours: 10, seconds: 5 } as const;
  playRoom(room, createShipped("random", seed), (record) => records.push(record));
  return records;
}

describe("training", () => {
  test("gives the same file for the same seed, another for another", () => {
    const file = (seed: number): string => weightsModule(train({ ...SMALL, seed }), "x", "y");
    const first = file(5);
    expect(file(5)).toBe(first);
    expect(file(6)).not.toBe(first);
  });

  test("takes traces instead of the prior", () => {
    const records = recordsOf(1);
    const trained = trainOnRecords(records, SMALL);
    expect(trained.records).toBe(records.length);
    expect(trained.served).toBe(records.filter(({ served }) => served).length);
  });
});

describe("the weights that ship, on rooms they were not trained on", () => {
  for (const kind of ["familiar", "foreign"] as const) {
    test(`${kind}: the network predicts better than the others`, () => {
      const options = { ...JUDGED, kind };
      const { mlp, linear, rtt, random } = judgePredictions(options, [
        "mlp",
        "linear",
        "rtt",
        "random",
      ]);
      expect(mlp?.auc).toBeGreaterThan(linear?.auc as number);
      expect(mlp?.logLoss).toBeLessThan(linear?.logLoss as number);
      expect(linear?.auc).toBeGreaterThan(rtt?.auc as number);
      expect(rtt?.auc).toBeGreaterThan(random?.auc as number);
    });

    test(`${kind}: more requests are served when the network chooses`, () => {
      const options = { ...JUDGED, kind };
      const mlp = servedShares(options, "mlp");
      for (const other of ["linear", "rtt", "random"] as const) {
        const { mean, standardError } = pairedGain(mlp, servedShares(options, other));
        expect(mean).toBeGreaterThan(2 * standardError);
      }
    });
  }
});

describe("traces", () => {
  test("are read as they were written", () => {
    const records = recordsOf(2);
    const lines = [traceHeaderLine({ source: "test", seed: 2 }), ...records.map(traceLine)];
    const read = parseTrace(`${lines.join("\n")}\n`);
    expect(read.header).toEqual({ source: "test", seed: 2 });
    expect(read.records.length).toBe(records.length);
    for (const [i, record] of records.entries()) {
      expect(read.records[i]?.served).toBe(record.served);
      expect(read.records[i]?.rttMs).toBeCloseTo(record.rttMs, 3);
    }
  });

  test("that are not traces are refused with the line", () => {
    const header = traceHeaderLine({ source: "test", seed: 2 });
    expect(() => parseTrace("{}")).toThrow("line 1");
    expect(() => parseTrace(`${header}\nx`)).toThrow("line 2 is not a JSON object");
    expect(() => parseTrace(`${header}\n{"rttMs":-1}`)).toThrow("line 2: rttMs");
    const [record] = recordsOf(3);
    const line = traceLine(record as OutcomeRecord).replace(/"served":\w+/, '"served":1');
    expect(() => parseTrace(`${header}\n${line}`)).toThrow("line 2: served");
  });
});
