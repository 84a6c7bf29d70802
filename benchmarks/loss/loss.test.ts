import { expect, test } from "bun:test";
import { BenchValues } from "../lib/bench.ts";
import { CELLS, runLoss } from "./bench.ts";
import { type Cell, runCell } from "./cell.ts";
import { runOracle } from "./oracle.ts";

const [clean, , five] = CELLS as readonly [Cell, Cell, Cell];
const ORACLE = { rttMs: 100, fragments: 7, deadlineMs: 300 };

test("without loss every frame takes half a round trip, at the price of its headers", () => {
  const figures = runCell(clean, 300, 1);
  expect(figures).toMatchObject({ late: 0, p50: 50, redundancy: 0, spurious: 0, lost: 0 });
  expect(figures.overhead).toBeGreaterThan(49 / 1152);
  expect(figures.overhead).toBeLessThan(0.046);
});

test("at 5 % loss nearly all frames come in time, the same ones each time", () => {
  const figures = runCell(five, 2000, 1);
  expect(figures.late).toBeLessThan(0.003);
  expect(figures.redundancy).toBeLessThan(0.07);
  expect(runCell(five, 2000, 1)).toEqual(figures);
  expect(runCell(five, 2000, 2).hash).not.toBe(figures.hash);
});

test("a repair goes twice in the last round only, though no frame follows it soon", () => {
  const soon = CELLS.find(({ name }) => name === "5 %, RTT 100 ms, 280 ms");
  const figures = runCell(soon as Cell, 2000, 1);
  expect(figures.redundancy).toBeLessThan(0.07);
  expect(figures.late).toBeLessThan(0.003);
});

test("the oracle repeats what is lost and nothing else, and finds the known late rates", () => {
  const endless = { ...ORACLE, loss: 0.1, deadlineMs: Number.POSITIVE_INFINITY, copies: 1 };
  expect(runOracle(endless, 20_000, 1).redundancy).toBeCloseTo(0.111, 2);
  const plain = runOracle({ ...ORACLE, loss: 0.2, copies: 1 }, 20_000, 1);
  expect(plain.late).toBeGreaterThan(0.05);
  expect(plain.late).toBeLessThan(0.062);
  expect(runOracle({ ...ORACLE, loss: 0.2, copies: 3 }, 20_000, 1).late).toBeLessThan(0.005);
  expect(runOracle({ ...ORACLE, loss: 0, copies: 3 }, 1000, 1).p999).toBe(50);
});

test("a small run of every cell gives a whole report", () => {
  const report = runLoss(new BenchValues({ frames: "60", seed: "3" }));
  expect(new Set(report.results.map((result) => result.case)).size).toBe(CELLS.length);
  for (const metric of ["late", "p50", "p99", "redundancy", "overhead", "spurious"]) {
    expect(report.results.some((each) => each.metric === metric)).toBe(true);
  }
  expect(report.workHash.split("-").length).toBe(CELLS.length);
});
