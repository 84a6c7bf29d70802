import { expect, test } from "bun:test";
import { BenchValues } from "../lib/bench.ts";
import { runWan } from "./bench.ts";
import { CELLS, cellsNamed } from "./cells.ts";
import { WanNetwork } from "./emulator/network.ts";
import { limitResults, oracleResults, resultsOf } from "./figures.ts";
import type { RunFigures } from "./run.ts";
import { missingFor, REQUIRED } from "./subjects.ts";

const MISSING = [WanNetwork.missing(), ...REQUIRED.map(missingFor)].filter((one) => one);
const about = MISSING.length === 0 ? "" : ` (needs ${MISSING.join("; ")})`;

test.skipIf(MISSING.length > 0)(
  `a short run over real links has every subject${about}`,
  async () => {
    const small = { cells: "10 %", deadlines: "300", seconds: "2", seeds: "1", lanes: "4" };
    const report = await runWan(new BenchValues(small));
    const late = report.results.filter(({ metric }) => metric === "late");
    expect(late.map(({ subject }) => subject)).toEqual([...REQUIRED, "oracle"]);
    for (const { subject, value } of late) expect([subject, value < 60]).toEqual([subject, true]);
    const shoal = report.results.filter(({ subject }) => subject === "shoal");
    const overhead = shoal.find(({ metric }) => metric === "overhead")?.value ?? 0;
    expect(overhead).toBeGreaterThan(8);
    expect(overhead).toBeLessThan(60);
  },
  90_000,
);

test("cells are the required ones, all, or those named", () => {
  expect(cellsNamed(undefined).length).toBe(5);
  expect(cellsNamed(["all"]).length).toBe(CELLS.length);
  expect(cellsNamed(["0 %"]).map(({ name }) => name)).toEqual(["0 %"]);
  expect(cellsNamed(["jit"]).map(({ name }) => name)).toEqual(["jitter", "jitter, reordered"]);
});

function runWith(delaysMs: readonly number[]): RunFigures {
  const way = { packetsIn: 0, bytesIn: 110, packetsLost: 0, packetsDropped: 0, packetsOut: 0 };
  const figures = { ...way, bytesOut: 0, errors: 0, lateMsMax: 0, lateMsMean: 0 };
  return {
    delaysMs,
    mediaBytes: 100,
    link: { forward: figures, back: figures },
    seconds: 1,
    cpuSecondsPerGbit: 2,
    flowBps: 0,
    lateMsMax: 0,
  };
}

test("a frame is late by its deadline, and playable with what it needs", () => {
  const [cell] = cellsNamed(["1.6"]);
  if (cell === undefined) throw new Error("no such cell");
  const delays = [...new Array(60).fill(100), 700, ...new Array(59).fill(100)];
  delays[10] = Number.POSITIVE_INFINITY;
  const of = (subject: "shoal" | "srt", run: RunFigures) => (metric: string) =>
    resultsOf(cell, 600, subject, [run]).find((each) => each.metric === metric)?.value;
  const figure = of("shoal", runWith(delays));
  expect(figure("late")).toBeCloseTo((2 / 120) * 100, 6);
  expect(figure("playable")).toBeCloseTo((10 / 120) * 100, 6);
  expect(figure("overhead")).toBeCloseTo(10, 6);
  expect(of("srt", runWith([640]))("late")).toBe(0);
  expect(of("shoal", runWith([640]))("late")).toBe(100);
  expect(limitResults(cell, 600)[0]?.value).toBeCloseTo(78.1, 1);
});

test("the oracle has nothing to say of bursts", () => {
  const [bursts] = cellsNamed(["bursts"]);
  const [five] = cellsNamed(["5 %"]);
  if (bursts === undefined || five === undefined) throw new Error("no such cells");
  expect(oracleResults(bursts, 300)).toEqual([]);
  expect(oracleResults(five, 300).map(({ metric }) => metric)).toContain("late");
});
