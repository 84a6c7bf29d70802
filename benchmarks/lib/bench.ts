/**
 * What a benchmark is to `npm run bench`: a name, a line of text, options of its own, and a run
 * that gives a report.
 */
import type { Report } from "./report.ts";

export interface BenchOption {
  /** Without it, the option is left to the benchmark. */
  readonly value?: string;
  readonly text: string;
}

export interface Bench {
  readonly name: string;
  readonly text: string;
  readonly options: Readonly<Record<string, BenchOption>>;
  run(options: BenchValues): Promise<Report>;
}

/** The options' values, read as what they are wanted as. */
export class BenchValues {
  readonly #values: Readonly<Record<string, string | undefined>>;

  constructor(values: Readonly<Record<string, string | undefined>>) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    return this.#values[name];
  }

  /** @throws RangeError unless it is a number of at least `min`. */
  number(name: string, min = 0): number {
    const text = this.#values[name];
    const value = text === undefined || text === "" ? Number.NaN : Number(text);
    if (!(value >= min)) throw new RangeError(`--${name} must be a number from ${min} on: ${text}`);
    return value;
  }

  /** Comma-separated; undefined when not given. */
  list(name: string): string[] | undefined {
    return this.#values[name]?.split(",").map((each) => each.trim());
  }
}
