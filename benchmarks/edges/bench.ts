/**
 * `edges`: four real edges with two or three lines each, a real Redis, a publisher and viewers, over emulated links.
 * How long media takes from edge to edge, what of it goes by the dear lines, and what a viewer misses when the links
 * between two ISPs, a relay, Redis or the publisher's own edge die.
 */
import type { Bench, BenchValues } from "../lib/bench.ts";
import {
  type Check,
  commitName,
  machineName,
  quantile,
  type Report,
  type Result,
  WorkHash,
} from "../lib/report.ts";
import { WanNetwork } from "../wan/emulator/network.ts";
import { EDGES, type EdgeName, openLoopback, openNamespaces, type Places } from "./places.ts";
import { Stage, type Viewer } from "./stage.ts";

const WARM_UP_MS = 8000;
/** After each fault, before the figures are read. */
const FAULT_MS = 8000;
/** Media around a fault counts to it from this long before to this long after. */
const AROUND_MS = 1000;
const RECEIVERS: readonly EdgeName[] = ["e2", "e3", "e4"];

/** DESIGN §8; a viewer of a dead edge is back within 2 s. */
const P99_MS_MAX = 100;
const AROUND_MS_MAX = 300;
const DEAR_MAX = 0.1;
const BACK_MS_MAX = 2000;
const WATCH_MS = 20;

export const edges: Bench = {
  name: "edges",
  text: "four edges over several lines: delay, dear bytes, and what is missed when something dies",
  options: {
    seconds: { value: "60", text: "of the undisturbed part" },
    logs: { text: "an empty folder for what edges and viewers say" },
    paths: {
      value: "both",
      text: '"many", "one": each stream by one direct path only, or both, one after the other',
    },
  },
  run: runEdges,
};

interface Missed {
  readonly skipped: number;
  readonly stalledMs: number;
}

async function runEdges(options: BenchValues): Promise<Report> {
  const seconds = options.number("seconds", 5);
  const paths = options.text("paths") ?? "both";
  const missing = WanNetwork.missing();
  const results: Result[] = [];
  const checks: Check[] = [];
  for (const kind of paths === "both" ? ["many", "one"] : [paths]) {
    const lab = await runLab(seconds, kind, missing, options.text("logs"));
    results.push(...lab.results);
    /* What one path does not reach is what it is compared for. */
    if (kind === "many" || paths !== "both") checks.push(...lab.checks);
  }
  return {
    name: "edges",
    commit: commitName(),
    machine: machineName(),
    runs: 1,
    results,
    ratios: [],
    workHash: new WorkHash().add(seconds).text(),
    checks,
    skipped: missing === undefined ? [] : [`emulated links: need ${missing}`],
  };
}

async function runLab(
  seconds: number,
  paths: string,
  missing: string | undefined,
  logs: string | undefined,
): Promise<Lab> {
  const places =
    missing === undefined ? await openNamespaces(await WanNetwork.open()) : openLoopback(missing);
  const stage = new Stage(places, logs);
  try {
    await stage.open();
    const lab = new Lab(stage, places, paths);
    await play(lab, stage, places, seconds);
    return lab;
  } finally {
    await stage.close();
  }
}

async function play(lab: Lab, stage: Stage, places: Places, seconds: number): Promise<void> {
  await lab.begin();
  await lab.undisturbed(seconds);
  if (places.missing === undefined) {
    await lab.fault("peering", () => places.cut(true));
    await places.cut(false);
    await Bun.sleep(FAULT_MS / 2);
  }
  await lab.fault("redis", () => stage.kill("redis"));
  await stage.redis();
  await Bun.sleep(FAULT_MS / 2);
  /* Either of the two edges of isp-a may be the origin by now; the other may relay. */
  const origin = await stage.origin("e4");
  const relay = origin === "e2" ? "e1" : "e2";
  await lab.fault("relay", () => stage.kill(relay));
  await lab.fault("origin", () => stage.kill(origin));
}

/** How late this process, which has next to nothing to do, is woken: what the machine itself adds to every delay. */
class MachineWatch {
  #lateMs: number[] = [];
  #dueAt = performance.now() + WATCH_MS;

  constructor() {
    const timer = setInterval(() => {
      const now = performance.now();
      this.#lateMs.push(Math.max(0, now - this.#dueAt));
      this.#dueAt = now + WATCH_MS;
    }, WATCH_MS);
    timer.unref();
  }

  /** Since the last call. */
  takeLateMs(): number[] {
    return this.#lateMs.splice(0);
  }
}

class Lab {
  readonly results: Result[] = [];
  readonly checks: Check[] = [];
  readonly #stage: Stage;
  readonly #places: Places;
  readonly #paths: string;
  readonly #machine = new MachineWatch();
  #origin: EdgeName = "e1";
  readonly #viewers = new Map<EdgeName, Viewer>();

  constructor(stage: Stage, places: Places, paths: string) {
    this.#stage = stage;
    this.#places = places;
    this.#paths = paths;
  }

  async begin(): Promise<void> {
    await this.#stage.redis();
    for (const name of EDGES) await this.#stage.edge(name, this.#paths);
    /* One after the other: a program that starts takes a core for a second. */
    await Bun.sleep(WARM_UP_MS / 2);
    this.#stage.publisher();
    for (const name of RECEIVERS) {
      await Bun.sleep(WARM_UP_MS / 4);
      this.#viewers.set(name, this.#stage.viewer(`at ${name}`, name));
    }
    await Bun.sleep(WARM_UP_MS / 2);
    for (const name of EDGES) this.#stage.tap(name);
    await Bun.sleep(WARM_UP_MS);
    this.#origin = await this.#stage.origin("e4");
  }

  async undisturbed(seconds: number): Promise<void> {
    const fromMs = performance.now();
    this.#machine.takeLateMs();
    const before = this.#missed();
    const dearBefore = await this.#places.dearBytes();
    await Bun.sleep(seconds * 1000);
    const dear = (await this.#places.dearBytes()) - dearBefore;
    const delays = this.#delays(fromMs, performance.now() - AROUND_MS);
    this.#say("undisturbed", "edge to edge, p50", "ms", quantile(delays, 0.5));
    this.#say("undisturbed", "edge to edge, p99", "ms", quantile(delays, 0.99));
    this.#say("undisturbed", "edge to edge, max", "ms", Math.max(...delays));
    const p99 = quantile(delays, 0.99);
    this.#check("edge to edge p99", p99 <= P99_MS_MAX, `${p99.toFixed(0)} ms of ${P99_MS_MAX}`);
    this.#sayMissed("undisturbed", before);
    this.#say("undisturbed", "machine late, p99", "ms", quantile(this.#machine.takeLateMs(), 0.99));
    this.#say("undisturbed", "emulator late, max", "ms", await this.#places.lateMsMax());
    if (Number.isNaN(dear)) return;
    const direct = this.#mediaBytesPerSecond() * seconds * RECEIVERS.length;
    this.#say("undisturbed", "dear lines / all direct over them", "", dear / direct);
    const share = `${((100 * dear) / direct).toFixed(1)} %`;
    this.#check(
      "bytes on dear lines",
      dear <= DEAR_MAX * direct,
      `${share} of all direct over them`,
    );
  }

  /** What viewers miss, and what media takes from edge to edge around it. */
  async fault(name: string, begin: () => Promise<void>): Promise<void> {
    const before = this.#missed();
    const atMs = performance.now();
    await begin();
    await Bun.sleep(FAULT_MS);
    const delays = this.#delays(atMs - AROUND_MS, atMs + AROUND_MS);
    if (name === "peering" && delays.length > 0) {
      const most = Math.max(...delays);
      this.#say(name, "edge to edge in the 2 s around, max", "ms", most);
      this.#check(
        `${name}: delay`,
        most <= AROUND_MS_MAX,
        `${most.toFixed(0)} ms of ${AROUND_MS_MAX}`,
      );
    }
    this.#sayMissed(name, before);
  }

  #sayMissed(name: string, before: ReadonlyMap<EdgeName, Missed>): void {
    const after = this.#missed();
    for (const [at, { skipped, stalledMs }] of after) {
      const was = before.get(at) as Missed;
      const [lost, stalled] = [skipped - was.skipped, stalledMs - was.stalledMs];
      this.#say(name, `viewer at ${at}, frames missed`, "", lost);
      this.#say(name, `viewer at ${at}, stalled`, "ms", stalled);
      /* Something may be missed only where a viewer's own edge, his way to it (e2 lies beyond the peering), or the
         publisher's edge has died. */
      const isOwn = (at === "e2" && (name === "relay" || name === "peering")) || name === "origin";
      const ok = isOwn ? stalled <= BACK_MS_MAX : lost === 0 && stalled === 0;
      this.#check(`${name}: viewer at ${at}`, ok, `${lost} frames, ${stalled.toFixed(0)} ms`);
    }
  }

  #missed(): Map<EdgeName, Missed> {
    return new Map(
      [...this.#viewers].map(([at, { figures }]) => {
        return [at, { skipped: figures.framesSkipped, stalledMs: figures.stalledMs }];
      }),
    );
  }

  /** From the origin to every other edge, of all that left the origin in that time, ms. */
  #delays(fromMs: number, toMs: number): number[] {
    const origin = this.#stage.arrivals.get(this.#origin) ?? new Map<number, number>();
    const delays: number[] = [];
    for (const [key, at] of origin) {
      if (at < fromMs || at > toMs) continue;
      for (const name of EDGES) {
        if (name === this.#origin) continue;
        const there = this.#stage.arrivals.get(name)?.get(key);
        if (there !== undefined) delays.push(there - at);
      }
    }
    return delays;
  }

  #mediaBytesPerSecond(): number {
    return this.#stage.mediaBytes / Math.max(1, this.#stage.mediaSeconds);
  }

  #say(part: string, metric: string, unit: string, value: number): void {
    this.results.push({ subject: `paths ${this.#paths}`, case: part, metric, unit, value });
  }

  #check(name: string, ok: boolean, detail: string): void {
    this.checks.push({ name, ok, detail });
  }
}
