/**
 * `wan`: Shoal beside SRT, RIST and TCP over the same bad links, in real time with real programs. Real runs of minutes
 * show the order among them; how small the late rates get is for the `loss` bench, in virtual time. Runs of the
 * subjects take turns, several lanes at a time; one in which the emulator itself was late is thrown away and repeated.
 */

import type { Bench, BenchValues } from "../lib/bench.ts";
import { alternating } from "../lib/order.ts";
import {
  type Check,
  commitName,
  machineName,
  type Ratio,
  type Report,
  type Result,
  ratiosOf,
  WorkHash,
} from "../lib/report.ts";
import { CELLS, type Cell, cellsNamed } from "./cells.ts";
import { WanNetwork } from "./emulator/network.ts";
import { caseName, limitResults, oracleResults, resultsOf } from "./figures.ts";
import { type Lane, openLanes, type RunFigures, type RunOrder, runOnce } from "./run.ts";
import {
  isTold,
  missingFor,
  missingForWire,
  REQUIRED,
  SUBJECTS,
  type Subject,
} from "./subjects.ts";

/** An emulator later than this has spoilt a run, ms. */
const LATE_MS_MAX = 10;
const ATTEMPTS_MAX = 4;
const LANES_MAX = 16;
const PLAYABLE_MIN = 70;
const TCP_SHARE_MIN = 40;

export const wan: Bench = {
  name: "wan",
  text: "Shoal beside SRT, RIST and TCP over emulated bad links, in real time",
  options: {
    cells: { text: `words of their names, or all: ${CELLS.map(({ name }) => name).join(" | ")}` },
    subjects: { value: REQUIRED.join(","), text: `of ${SUBJECTS.join(",")}` },
    deadlines: { text: "ms, of the cells with loss; 170,300,390 by default" },
    seconds: { value: "20", text: "measured in each run" },
    seeds: { value: "3", text: "runs of each" },
    lanes: { value: "4", text: "runs at a time" },
  },
  run: runWan,
};

export async function runWan(options: BenchValues): Promise<Report> {
  const missing = WanNetwork.missing();
  if (missing !== undefined) throw new Error(`wan cannot run here: it needs ${missing}`);
  const commit = commitName();
  const skipped: string[] = [];
  const subjects = wantedSubjects(options, skipped);
  const cells = wantedCells(options);
  const lacking = cells.some(({ isWire }) => isWire) ? missingForWire() : undefined;
  if (lacking !== undefined) skipped.push(lacking);
  const seeds = options.number("seeds", 1);
  const seconds = options.number("seconds", 1);
  const orders = ordersOf(cells, subjects, seeds, seconds).filter(
    ({ cell, subject }) => !cell.isWire || canGoByWire(subject, lacking),
  );
  const book = new RunBook(orders.length);
  const lanes = Math.min(LANES_MAX, options.number("lanes", 1), orders.length);
  const network = await WanNetwork.open();
  try {
    if (!network.isRealTime) skipped.push("real-time priority of the emulator: not allowed here");
    const open = await openLanes(network, lanes);
    const [linked, wired] = [false, true].map((is) =>
      orders.filter(({ cell }) => (cell.isWire ?? false) === is),
    );
    await runAll(open, linked ?? [], book);
    await runAll(open.slice(0, 1), wired ?? [], book);
  } finally {
    await network.close();
  }
  const results = cells.flatMap((cell) =>
    cell.deadlinesMs.flatMap((deadline) => caseResults(cell, deadline, subjects, book)),
  );
  return {
    name: "wan",
    commit,
    machine: machineName(),
    runs: seeds,
    results,
    ratios: ratiosAmong(results, subjects),
    workHash: workHash(orders),
    checks: checksOf(results, cells, book),
    skipped: [...skipped, ...book.thrownAway()],
  };
}

/** @throws RangeError for one that is not known. */
function wantedSubjects(options: BenchValues, skipped: string[]): Subject[] {
  const names = options.list("subjects") ?? REQUIRED;
  return names.flatMap((name) => {
    const subject = SUBJECTS.find((each) => each === name);
    if (subject === undefined) {
      throw new RangeError(`--subjects knows ${SUBJECTS.join(",")}; not "${name}"`);
    }
    const missing = missingFor(subject);
    if (missing !== undefined) skipped.push(missing);
    return missing === undefined ? [subject] : [];
  });
}

/** RIST has but its tool, which loses media at that rate before it has carried any. */
function canGoByWire(subject: Subject, lacking: string | undefined): boolean {
  return subject === "srt" ? lacking === undefined : subject !== "rist";
}

function wantedCells(options: BenchValues): readonly Cell[] {
  const deadlinesMs = options.list("deadlines")?.map(Number);
  return cellsNamed(options.list("cells")).map((cell) =>
    deadlinesMs === undefined || cell.isOverload ? cell : { ...cell, deadlinesMs },
  );
}

/** Seed by seed through all cells, the subjects of a cell in alternating order. */
function ordersOf(
  cells: readonly Cell[],
  subjects: readonly Subject[],
  seeds: number,
  seconds: number,
): RunOrder[] {
  const orders: RunOrder[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    for (const cell of cells) {
      const variants = subjects.flatMap((subject) => {
        const deadlines = isTold(subject) ? cell.deadlinesMs : cell.deadlinesMs.slice(0, 1);
        return deadlines.map((deadlineMs) => ({ cell, subject, deadlineMs, seed, seconds }));
      });
      orders.push(...alternating(variants, seed).slice(-variants.length));
    }
  }
  return orders;
}

/** Every lane takes the next run until there is none. */
async function runAll(lanes: readonly Lane[], orders: readonly RunOrder[], book: RunBook) {
  const queue = orders.map((order) => ({ order, attempts: 0 }));
  await Promise.all(
    lanes.map(async (lane) => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const figures = await runOnce(lane, next.order).catch((error: Error) => error);
        if (book.file(next.order, figures)) continue;
        if (++next.attempts < ATTEMPTS_MAX) queue.push(next);
      }
    }),
  );
}

/** All runs that count, and how many did not. */
class RunBook {
  readonly #runs = new Map<string, RunFigures[]>();
  readonly #total: number;
  #done = 0;
  #thrown = 0;
  readonly #failed: string[] = [];
  lateMsMax = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** False when it does not count: the emulator was late, or a program failed. */
  file(order: RunOrder, figures: RunFigures | Error): boolean {
    const { cell, subject, deadlineMs, seed } = order;
    const name = `${caseName(cell, deadlineMs)}, ${subject}, seed ${seed}`;
    if (figures instanceof Error) {
      this.#failed.push(`${name}: ${figures.message.split("\n")[0]}`);
      process.stderr.write(`[${this.#done}/${this.#total}] ${name}: ${figures.message}\n`);
      return false;
    }
    const isSpoilt = figures.lateMsMax > LATE_MS_MAX;
    if (isSpoilt) this.#thrown++;
    else {
      const key = this.#key(cell, subject, deadlineMs);
      this.#runs.set(key, [...(this.#runs.get(key) ?? []), figures]);
      this.lateMsMax = Math.max(this.lateMsMax, figures.lateMsMax);
      this.#done++;
    }
    const never = figures.delaysMs.filter((delay) => delay === Number.POSITIVE_INFINITY).length;
    const verdict = isSpoilt ? "thrown away" : `${never} of ${figures.delaysMs.length} never came`;
    process.stderr.write(
      `[${this.#done}/${this.#total}] ${name}: ${verdict}; ` +
        `emulator late by ${figures.lateMsMax.toFixed(1)} ms at worst\n`,
    );
    return !isSpoilt;
  }

  /** What is told no deadline has one run for all of them. */
  of(cell: Cell, subject: Subject, deadlineMs: number): readonly RunFigures[] {
    const told = isTold(subject) ? deadlineMs : (cell.deadlinesMs[0] as number);
    return this.#runs.get(this.#key(cell, subject, told)) ?? [];
  }

  get isComplete(): boolean {
    return this.#done === this.#total;
  }

  get counts(): string {
    return `${this.#done} of ${this.#total} runs, ${this.#thrown} thrown away`;
  }

  thrownAway(): string[] {
    const late = this.#thrown === 0 ? [] : [`${this.#thrown} runs in which the emulator was late`];
    return [...late, ...this.#failed.map((text) => `a run that failed: ${text}`)];
  }

  #key(cell: Cell, subject: Subject, deadlineMs: number): string {
    return `${cell.name} ${subject} ${deadlineMs}`;
  }
}

function caseResults(
  cell: Cell,
  deadlineMs: number,
  subjects: readonly Subject[],
  book: RunBook,
): Result[] {
  const results = subjects.flatMap((subject) => {
    const runs = book.of(cell, subject, deadlineMs);
    return runs.length === 0 ? [] : resultsOf(cell, deadlineMs, subject, runs);
  });
  return [...results, ...oracleResults(cell, deadlineMs), ...limitResults(cell, deadlineMs)];
}

/** Where both have a figure that is one. */
function ratiosAmong(results: readonly Result[], subjects: readonly Subject[]): Ratio[] {
  const finite = results.filter(({ value }) => Number.isFinite(value));
  return [...subjects.filter((subject) => subject !== "shoal"), "oracle"].flatMap((subject) =>
    ratiosOf(finite, "shoal", subject),
  );
}

function workHash(orders: readonly RunOrder[]): string {
  const hash = new WorkHash();
  for (const { cell, seed, seconds, deadlineMs } of orders) {
    hash.add(cell.frameBytes).add(seed).add(seconds).add(deadlineMs);
  }
  return hash.text();
}

function checksOf(results: readonly Result[], cells: readonly Cell[], book: RunBook): Check[] {
  const checks: Check[] = [
    {
      name: `emulator late by at most ${LATE_MS_MAX} ms`,
      ok: book.isComplete,
      detail: `${book.counts}; ${book.lateMsMax.toFixed(2)} ms at worst in those that count`,
    },
  ];
  for (const cell of cells) {
    for (const deadlineMs of cell.deadlinesMs) {
      const of = caseName(cell, deadlineMs);
      const value = (subject: string, metric: string): number | undefined =>
        results.find((r) => r.subject === subject && r.case === of && r.metric === metric)?.value;
      if (cell.beside) {
        const share = value("shoal", "TCP flow's share of the link");
        if (share !== undefined) checks.push(atLeast(`${of}: TCP's share`, share, TCP_SHARE_MIN));
      } else if (cell.isOverload && cell.changes === undefined) {
        const playable = value("shoal", "playable");
        if (playable !== undefined) checks.push(atLeast(`${of}: playable`, playable, PLAYABLE_MIN));
      } else if (cell.isWire) {
        const [own, other] = [value("shoal", "cpu"), value("srt", "cpu")];
        if (own !== undefined && other !== undefined) checks.push(cpuCheck(of, own, other));
      } else if (!cell.isOverload) {
        checks.push(...orderChecks(of, value));
      }
    }
  }
  return checks;
}

/** Fewer late frames than SRT and RIST, or as few. */
function orderChecks(
  of: string,
  value: (subject: string, metric: string) => number | undefined,
): Check[] {
  const own = value("shoal", "late");
  return ["srt", "rist"].flatMap((other) => {
    const late = value(other, "late");
    if (own === undefined || late === undefined) return [];
    const detail = `${own.toFixed(2)} %, ${other} ${late.toFixed(2)} %`;
    return [{ name: `${of}: late, not more than ${other}`, ok: own <= late, detail }];
  });
}

function cpuCheck(of: string, own: number, other: number): Check {
  const detail = `${own.toFixed(2)} CPU-s/Gbit, libsrt ${other.toFixed(2)}`;
  return { name: `${of}: CPU time, not more than libsrt`, ok: own <= other, detail };
}

function atLeast(name: string, value: number, min: number): Check {
  return { name, ok: value >= min, detail: `${value.toFixed(1)} %, at least ${min} %` };
}
