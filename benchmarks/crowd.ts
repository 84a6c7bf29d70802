/**
 * Many viewers in one process, each a real peer on a UDP socket of its own, that take everything and show nothing: what
 * an edge has to bear, without the cost of hundreds of processes. Prints one JSON object a second until it is ended.
 *
 *   bun benchmarks/crowd.ts --to 127.0.0.1:4935 --stream live/demo --viewers 100 [--target-ms 800] [--join-every-ms 0]
 *     [--upload]      they feed each other; otherwise they consume only
 */
import { parseArgs } from "node:util";
import { bindUdp } from "../runtime/io/bind-udp.ts";
import { systemClock } from "../runtime/io/clock.ts";
import { type RunningNode, runNode } from "../runtime/io/driver.ts";
import { systemRandom } from "../runtime/io/entropy.ts";
import type { PeerEvent, PeerOptions } from "../runtime/node/api.ts";
import { Peer } from "../runtime/node/peer/peer.ts";
import { createHotPath } from "../runtime/wasm/create.ts";
import type { Address } from "../runtime/wire/address.ts";
import { quantile } from "./lib/report.ts";

const VIEWERS_MAX = 2_000;
/** Viewers that share one instance of the hot path, and its memory. */
const VIEWERS_PER_MEMORY = 50;
const MEMORY_MIB = 256;
const REPORT_MS = 1_000;

/** What it prints. */
export interface CrowdReport {
  readonly viewers: number;
  readonly playing: number;
  /** Of the viewer that has played least. */
  readonly framesPlayedMin: number;
  readonly framesSkipped: number;
  readonly framesDamaged: number;
  readonly stalledMs: number;
  readonly refused: number;
  readonly firstFrameMs: { readonly p50: number; readonly p95: number; readonly max: number };
  readonly delayMs: { readonly p50: number; readonly p95: number };
}

class Viewer {
  readonly peer: Peer;
  refusals = 0;
  #running: RunningNode | undefined;

  constructor(hot: ReturnType<typeof createHotPath>, options: PeerOptions) {
    this.peer = new Peer({ hot, random: systemRandom, bootEpoch: 1 }, options);
    void this.#run(hot);
  }

  stop(): void {
    this.peer.close(systemClock.now());
    this.#running?.wake();
    this.#running?.stop();
  }

  async #run(hot: ReturnType<typeof createHotPath>): Promise<void> {
    this.#running = runNode<PeerEvent>({
      node: this.peer,
      udp: await bindUdp({ host: "127.0.0.1", port: 0 }),
      clock: systemClock,
      hot,
      onEvent: (event) => {
        if (event.type === "refused") this.refusals++;
      },
      onError: (error) => console.error(error),
    });
  }
}

function reportOf(viewers: readonly Viewer[]): CrowdReport {
  const all = viewers.map(({ peer }) => peer.stats(systemClock.now()));
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const playing = all.filter(({ state }) => state === "playing");
  const firstFrames = playing.map(({ firstFrameMs }) => firstFrameMs);
  const delays = playing.map(({ delayMs }) => delayMs);
  return {
    viewers: all.length,
    playing: playing.length,
    framesPlayedMin: Math.min(...all.map(({ framesPlayed }) => framesPlayed)),
    framesSkipped: sum(all.map(({ framesSkipped }) => framesSkipped)),
    framesDamaged: sum(all.map(({ framesDamaged }) => framesDamaged)),
    stalledMs: sum(all.map(({ stalledMs }) => stalledMs)),
    refused: sum(viewers.map(({ refusals }) => refusals)),
    firstFrameMs: {
      p50: quantile(firstFrames, 0.5),
      p95: quantile(firstFrames, 0.95),
      max: quantile(firstFrames, 1),
    },
    delayMs: { p50: quantile(delays, 0.5), p95: quantile(delays, 0.95) },
  };
}

function main(): void {
  const { values } = parseArgs({
    options: {
      to: { type: "string", default: "127.0.0.1:4935" },
      stream: { type: "string", default: "live/demo" },
      viewers: { type: "string", default: "100" },
      "target-ms": { type: "string", default: "800" },
      "join-every-ms": { type: "string", default: "0" },
      upload: { type: "boolean", default: false },
    },
  });
  const [ip = "", port = ""] = values.to.split(":");
  const edge: Address = { family: 4, ip, port: Number(port) };
  const count = Math.min(Number(values.viewers), VIEWERS_MAX);
  const options: PeerOptions = {
    edges: [edge],
    stream: values.stream,
    targetMs: Number(values["target-ms"]),
    targetMsMin: 300,
    targetMsMax: 1_500,
    strict: false,
    uploadBytesPerSecondMax: values.upload ? Number.POSITIVE_INFINITY : 0,
    agent: "shoal-crowd",
  };
  const viewers: Viewer[] = [];
  let hot = createHotPath({ memoryMiB: MEMORY_MIB });
  const everyMs = Number(values["join-every-ms"]);
  const join = (): void => {
    if (viewers.length >= count) return;
    const isFull = viewers.length > 0 && viewers.length % VIEWERS_PER_MEMORY === 0;
    if (isFull) hot = createHotPath({ memoryMiB: MEMORY_MIB });
    viewers.push(new Viewer(hot, options));
    if (everyMs > 0) setTimeout(join, everyMs);
    else join();
  };
  join();
  setInterval(() => console.log(JSON.stringify(reportOf(viewers))), REPORT_MS);
  const stop = (): void => {
    for (const viewer of viewers) viewer.stop();
    process.exit(0);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

if (import.meta.main) main();
