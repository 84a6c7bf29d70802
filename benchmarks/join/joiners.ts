/**
 * Viewers that come, wait for their first frame and go: `joiners.ts PORT STREAM PER-SECOND SECONDS`. Each is a real
 * peer on a socket of its own. Says `begin` when the first one comes, and at the end what they met, as a line of JSON.
 */
import { bindUdp } from "../../runtime/io/bind-udp.ts";
import { systemClock } from "../../runtime/io/clock.ts";
import { runNode } from "../../runtime/io/driver.ts";
import { systemRandom } from "../../runtime/io/entropy.ts";
import type { PeerEvent, PeerOptions } from "../../runtime/node/api.ts";
import { Peer } from "../../runtime/node/peer/peer.ts";
import { createHotPath } from "../../runtime/wasm/create.ts";

export interface JoinFigures {
  readonly joined: number;
  /** ms from the first packet to the first frame, of those that got one. */
  readonly firstFrameMs: readonly number[];
  readonly refused: number;
  /** Had no frame when their time was up. */
  readonly waiting: number;
  /** How far behind their plan they came at worst, ms: more than a little, and the machine was too small. */
  readonly behindMsMax: number;
}

/** A viewer without a frame after this has failed. */
const PATIENCE_MS = 3000;
/** Stays a moment, as the shortest visit would. */
const STAY_MS = 200;
const MEMORY_MIB = 256;

const [port = 0, , perSecond = 1, seconds = 1] = process.argv.slice(2).map(Number);
const options: PeerOptions = {
  edges: [{ family: 4, ip: "127.0.0.1", port }],
  stream: process.argv[3] ?? "",
  targetMs: 700,
  targetMsMin: 300,
  targetMsMax: 1500,
  strict: false,
  uploadBytesPerSecondMax: 0,
  agent: "shoal-joiner",
};
const hot = createHotPath({ memoryMiB: MEMORY_MIB });
const firstFrameMs: number[] = [];
let refused = 0;
let waiting = 0;

async function join(): Promise<void> {
  const udp = await bindUdp({ host: "127.0.0.1", port: 0 });
  const peer = new Peer({ hot, random: systemRandom, bootEpoch: 1 }, options);
  const began = performance.now();
  let end = (_how: "frame" | "refused" | "late"): void => {};
  const ended = new Promise<"frame" | "refused" | "late">((resolve) => {
    end = resolve;
  });
  const running = runNode<PeerEvent>({
    node: peer,
    udp,
    clock: systemClock,
    hot,
    onEvent: (event) => {
      if (event.type === "frame") end("frame");
      else if (event.type === "refused") end("refused");
    },
    onError: (error) => console.error(error),
  });
  const patience = setTimeout(() => end("late"), PATIENCE_MS);
  const how = await ended;
  clearTimeout(patience);
  if (how === "frame") firstFrameMs.push(performance.now() - began);
  else if (how === "refused") refused++;
  else waiting++;
  await Bun.sleep(STAY_MS);
  peer.close(systemClock.now());
  running.wake();
  running.stop();
}

console.log("begin");
const began = performance.now();
const count = Math.round(perSecond * seconds);
const joins: Promise<void>[] = [];
let behindMsMax = 0;
for (let i = 0; i < count; i++) {
  const waitMs = began + (i * 1000) / perSecond - performance.now();
  if (waitMs > 0) await Bun.sleep(waitMs);
  behindMsMax = Math.max(behindMsMax, -waitMs);
  joins.push(join());
}
await Promise.all(joins);
const figures: JoinFigures = { joined: count, firstFrameMs, refused, waiting, behindMsMax };
console.log(JSON.stringify(figures));
process.exit(0);
