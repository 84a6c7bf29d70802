import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../lib/child.ts";
import { compileReference } from "./bench.ts";
import { type ChildFigures, measure } from "./child.ts";

const ROUNDS = 20;
const WARMUP = 30;

test.each([false, true])("WASM and twin do the same work (loss: %p)", (isLossy) => {
  const wasm = measure("wasm", ROUNDS, WARMUP, isLossy, false);
  const twin = measure("twin", ROUNDS, WARMUP, isLossy, true);
  expect(wasm.hash).toBe(twin.hash);
  expect(wasm.phases.length).toBe(14);
  for (const { median, tail } of wasm.phases) expect(median).toBeLessThanOrEqual(tail);
});

test.skipIf(Bun.which("cc") === null)("the reference in C does the same work", async () => {
  const folder = mkdtempSync(join(tmpdir(), "shoal-bench-"));
  const program = compileReference(folder) as string;
  for (const isLossy of [false, true]) {
    const args = [String(ROUNDS), String(WARMUP), isLossy ? "1" : "0"];
    const c = await runProgram<ChildFigures>([program, ...args]);
    const wasm = measure("wasm", ROUNDS, WARMUP, isLossy, false);
    expect(c.hash).toBe(wasm.hash);
    expect(c.phases.map(({ name }) => name)).toEqual(wasm.phases.map(({ name }) => name));
  }
  rmSync(folder, { recursive: true });
});
