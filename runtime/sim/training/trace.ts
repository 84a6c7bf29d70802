/**
 * Traces of requests, one JSON object a line, as the trainer reads them: a header that says where
 * they come from, then one record for each request to a neighbour. The synthetic prior and the
 * simulator write the same format.
 *
 *   {"format":"shoal-outcomes","version":1,"source":"sim lossy","seed":7}
 *   {"rttMs":31.2,"rttVarMs":4,"lossRate":0.02,…,"inFlight":1,"budgetMs":71.2,"served":true}
 */
import type { NeighbourFeatures } from "../../score/features.ts";

/**
 * One request: what was known when it was asked, the time it had, and whether the answer came
 * within it.
 */
export interface OutcomeRecord extends Readonly<NeighbourFeatures> {
  readonly budgetMs: number;
  readonly served: boolean;
}

export interface TraceHeader {
  readonly source: string;
  readonly seed: number;
}

const FORMAT = "shoal-outcomes";
const VERSION = 1;
const NUMBERS = [
  "rttMs",
  "rttVarMs",
  "lossRate",
  "hitRate",
  "answerMs",
  "ageMs",
  "spareBps",
  "inFlight",
  "budgetMs",
] as const;
const FLAGS = ["sameRegion", "served"] as const;
const DECIMALS = 4;

export function traceHeaderLine(header: TraceHeader): string {
  return JSON.stringify({ format: FORMAT, version: VERSION, ...header });
}

export function traceLine(record: OutcomeRecord): string {
  const line: Record<string, number | boolean> = {};
  for (const name of NUMBERS) line[name] = Number(record[name].toFixed(DECIMALS));
  for (const name of FLAGS) line[name] = record[name];
  return JSON.stringify(line);
}

/** @throws Error that names the line that is not what it should be. */
export function parseTrace(text: string): { header: TraceHeader; records: OutcomeRecord[] } {
  const [first = "", ...lines] = text.split("\n");
  const header = parseLine(first, 1);
  if (header["format"] !== FORMAT || header["version"] !== VERSION) {
    throw new Error(`trace: line 1 is not a header of ${FORMAT} ${VERSION}`);
  }
  const { source, seed } = header;
  if (typeof source !== "string" || typeof seed !== "number") {
    throw new Error("trace: the header lacks source or seed");
  }
  const records: OutcomeRecord[] = [];
  for (const [i, line] of lines.entries()) {
    if (line !== "") records.push(checkRecord(parseLine(line, i + 2), i + 2));
  }
  return { header: { source, seed }, records };
}

function parseLine(line: string, number: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    /* said below */
  }
  throw new Error(`trace: line ${number} is not a JSON object`);
}

function checkRecord(value: Record<string, unknown>, number: number): OutcomeRecord {
  for (const name of NUMBERS) {
    const field = value[name];
    if (typeof field !== "number" || !(field >= 0)) {
      throw new Error(`trace: line ${number}: ${name} is not a number ≥ 0`);
    }
  }
  for (const name of FLAGS) {
    if (typeof value[name] !== "boolean") {
      throw new Error(`trace: line ${number}: ${name} is neither true nor false`);
    }
  }
  return value as unknown as OutcomeRecord;
}
