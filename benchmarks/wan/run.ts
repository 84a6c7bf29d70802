/**
 * One run: one subject's programs at the ends of one link, a stream through them, and what became of each frame. Every
 * lane is a link of its own between two nodes of its own, so that several runs can go on at once without meeting.
 */
import { lineReader } from "../lib/lines.ts";
import { cpuSeconds } from "../lib/process-figures.ts";
import { type Cell, FPS } from "./cells.ts";
import type { LinkFigures, WanLink, WanNetwork, WanNode } from "./emulator/network.ts";
import type { Received, Sent, StreamSpec } from "./ends/pace.ts";
import { type Plan, planOf, type Subject, script } from "./subjects.ts";

/** Frames before these count for nothing: slow starts and first estimates. */
const WARM_UP_SECONDS = 2;
/** For tools that shake hands: SRT and RIST drop what comes before. */
const CONNECT_MS = 2500;
/** After the last frame. */
const DRAIN_MS = 1500;
const FLOW_PORT = 6100;
/** A flow beside has this long to find its share. */
const FLOW_SETTLE_SECONDS = 8;

export interface Lane {
  readonly near: WanNode;
  readonly far: WanNode;
  readonly link: WanLink;
  /** Address of the far end of a plain wire beside the link. */
  readonly wire: string;
}

export interface RunOrder {
  readonly cell: Cell;
  readonly subject: Subject;
  readonly deadlineMs: number;
  readonly seed: number;
  readonly seconds: number;
}

export interface RunFigures {
  /** Of the frames after the warm-up, ms from being handed over to being whole; Infinity = never. */
  readonly delaysMs: readonly number[];
  readonly mediaBytes: number;
  /** From the first frame to the end. */
  readonly link: LinkFigures;
  readonly seconds: number;
  /** User and system, of the programs that carry the stream, for each Gbit of it after the warm-up. */
  readonly cpuSecondsPerGbit: number;
  /** Mean of the TCP flow beside it, bit/s; 0 without one. */
  readonly flowBps: number;
  /** Worst lateness of the emulator, ms. */
  readonly lateMsMax: number;
}

export async function openLanes(network: WanNetwork, count: number): Promise<Lane[]> {
  const lanes: Lane[] = [];
  for (let i = 0; i < count; i++) {
    const near = await network.node(`near${i}`);
    const far = await network.node(`far${i}`);
    const link = await network.link(near, far, { delayMs: 0 });
    lanes.push({ near, far, link, wire: network.cable(near, far).addressB });
  }
  return lanes;
}

export async function runOnce(lane: Lane, order: RunOrder): Promise<RunFigures> {
  const { cell, subject, deadlineMs } = order;
  const { near, far, link } = lane;
  const spec = specOf(order);
  const warmUp = WARM_UP_SECONDS * spec.fps;
  const { isWire = false, profile } = cell;
  const to = isWire ? lane.wire : link.addressB;
  const plan = await planOf(subject, { to, delayMs: profile.delayMs, deadlineMs, spec, isWire });
  await link.seed(order.seed);
  await setProfile(link, {
    profile: { ...profile, loss: 0 },
  }); /* nobody fails for a lost handshake */
  routeBy(lane, plan.congestionControl ?? "cubic");
  const programs = new Programs();
  try {
    const flow = cell.beside ? await startFlow(lane, programs) : undefined;
    const { sink, feeder } = await startPrograms(plan, near, far, programs);
    await feeder.line("begin");
    await setProfile(link, cell);
    await link.reset();
    const began = performance.now();
    const changes = changeAlong(link, cell, began);
    const carriers = programs.but(plan.isCarried ? [sink, feeder] : []);
    const warmCpu = Bun.sleep(WARM_UP_SECONDS * 1000).then(() => cpuOf(carriers));
    const sent = JSON.parse(
      await feeder.line("{", (spec.frames / spec.fps) * 1000 + LINE_MS_MAX),
    ) as Sent;
    await Bun.sleep(DRAIN_MS);
    const seconds = (performance.now() - began) / 1000;
    const figures = await link.figures();
    const cpu = cpuOf(carriers) - (await warmCpu);
    await changes;
    const received = JSON.parse(await sink.end()) as Received;
    await feeder.end();
    const flowBps = flow === undefined ? 0 : flowRate(flow);
    return {
      delaysMs: delaysOf(sent, received).slice(warmUp),
      mediaBytes: spec.frames * spec.frameBytes,
      link: figures,
      seconds,
      cpuSecondsPerGbit: cpu / (((spec.frames - warmUp) * spec.frameBytes * 8) / 1e9),
      flowBps,
      lateMsMax: await link.lateMsMax(),
    };
  } finally {
    await programs.stop();
  }
}

function specOf({ cell, seconds }: RunOrder): StreamSpec {
  const fps = cell.fps ?? FPS;
  const span = WARM_UP_SECONDS + Math.max(seconds, cell.secondsMin ?? 0);
  return { frames: Math.round(span * fps), fps, frameBytes: cell.frameBytes };
}

async function startPrograms(plan: Plan, near: WanNode, far: WanNode, programs: Programs) {
  const sink = programs.start(far, plan.sink);
  await sink.line("ready");
  if (plan.far !== undefined) programs.start(far, plan.far, true);
  if (plan.near !== undefined) {
    await Bun.sleep(200);
    programs.start(near, plan.near, true);
    await Bun.sleep(CONNECT_MS);
  }
  return { sink, feeder: programs.start(near, plan.feeder) };
}

function setProfile(link: WanLink, { profile }: Pick<Cell, "profile">): Promise<void> {
  const { delayMs, jitterMs = 0, reorders = false, loss = 0 } = profile;
  return link.set(profile, { delayMs, jitterMs, reorders, loss });
}

async function changeAlong(link: WanLink, cell: Cell, began: number): Promise<void> {
  for (const { atSeconds, profile } of cell.changes ?? []) {
    await Bun.sleep(began + (WARM_UP_SECONDS + atSeconds) * 1000 - performance.now());
    await setProfile(link, { profile });
  }
}

function cpuOf(programs: readonly Program[]): number {
  const ended = programs.find(({ child }) => child.exitCode !== null);
  if (ended !== undefined) throw new Error(`a program ended with ${ended.child.exitCode} in a run`);
  return programs.reduce((sum, { child }) => sum + cpuSeconds(child.pid), 0);
}

/** The route says by what TCP is to control its congestion: no program need know. */
function routeBy({ near, far, link }: Lane, control: string): void {
  const { device, addressA, addressB } = link;
  near.ip(`route replace ${addressB}/32 dev ${device} src ${addressA} congctl ${control}`);
  far.ip(`route replace ${addressA}/32 dev ${device} src ${addressB} congctl ${control}`);
}

async function startFlow({ near, far, link }: Lane, programs: Programs): Promise<Program> {
  const taker = programs.start(far, script("flow.ts", "take", link.addressB, FLOW_PORT));
  await taker.line("ready");
  programs.start(near, script("flow.ts", "give", link.addressB, FLOW_PORT));
  return taker;
}

function flowRate(taker: Program): number {
  const told = taker.lines.flatMap((line) =>
    line.startsWith("{") ? [JSON.parse(line) as { bytes: number; atMs: number }] : [],
  );
  const first = told[FLOW_SETTLE_SECONDS];
  const last = told.at(-1);
  if (first === undefined || last === undefined || first === last) return 0;
  return ((last.bytes - first.bytes) * 8000) / (last.atMs - first.atMs);
}

function delaysOf({ times }: Sent, { frames }: Received): number[] {
  const delays = times.map(() => Number.POSITIVE_INFINITY);
  for (const [frame, atMs] of frames) {
    const sentMs = times[frame];
    if (sentMs !== undefined) delays[frame] = Math.min(delays[frame] as number, atMs - sentMs);
  }
  return delays;
}

/* ------------------------------------------------------------------ programs of a run */

const LINE_MS_MAX = 15_000;
/** All subjects alike go before what else the machine does; where that is not allowed, `nice` goes on without. */
const AHEAD = ["nice", "-n", "-10"];

export class Program {
  readonly lines: string[] = [];
  readonly child: ReturnType<WanNode["spawn"]>;
  readonly #read: Promise<void>;
  #wake = () => {};

  constructor(child: ReturnType<WanNode["spawn"]>) {
    this.child = child;
    this.#read = this.#readLines();
  }

  /** The first line that starts so, said or to come. @throws Error when it ends before, or takes too long. */
  async line(start: string, msMax = LINE_MS_MAX): Promise<string> {
    const patience = Bun.sleep(msMax).then(() => "said nothing in time");
    const end = this.#read.then(() => "ended");
    for (let how: string | undefined; ; ) {
      const found = this.lines.find((line) => line.startsWith(start));
      if (found !== undefined) return found;
      if (how !== undefined) {
        throw new Error(`a program ${how} before "${start}":\n${this.lines.join("\n")}`);
      }
      const more = new Promise<undefined>((resolve) => {
        this.#wake = () => resolve(undefined);
      });
      how = await Promise.race([more, end, patience]);
    }
  }

  /** Ends its standard input and gives its last line. */
  async end(): Promise<string> {
    this.child.stdin.end();
    await this.#read;
    return this.lines.at(-1) ?? "";
  }

  async #readLines(): Promise<void> {
    for await (const line of lineReader(this.child.stdout)) {
      this.lines.push(line);
      this.#wake();
    }
  }
}

class Programs {
  readonly #all: Program[] = [];

  /** `chatty`: what it says of losses is of no interest. */
  start(node: WanNode, command: readonly string[], chatty = false): Program {
    const child = node.spawn([...AHEAD, ...command], chatty ? "ignore" : "inherit");
    const program = new Program(child);
    this.#all.push(program);
    return program;
  }

  but(others: readonly Program[]): Program[] {
    return this.#all.filter((program) => !others.includes(program));
  }

  async stop(): Promise<void> {
    for (const { child } of this.#all.splice(0)) {
      child.kill("SIGKILL");
      await child.exited;
    }
  }
}
