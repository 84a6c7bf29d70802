/**
 * One cell of the `loss` bench: a stream of equal frames over one link in virtual time, and what became of each frame.
 * Everything follows from the seed. The deadline is the sender's too: it decides when copies are sent and when a frame
 * is given up.
 */
import { ms } from "../../runtime/base/time.ts";
import { HostRole } from "../../runtime/sim/network/host-role.ts";
import { IDEAL, type LinkModel } from "../../runtime/sim/network/link.ts";
import { World } from "../../runtime/sim/world.ts";
import { createHotPath } from "../../runtime/wasm/create.ts";
import { WorkHash } from "../lib/report.ts";
import { BODY_BYTES, PairReceiver, PairSender, RECEIVER, SENDER } from "./pair-nodes.ts";

export interface Cell {
  readonly name: string;
  readonly rttMs: number;
  /** Each way. */
  readonly loss: LinkModel["loss"];
  /** Uniform extra delay of each packet, 0 up to this. */
  readonly jitterMs: number;
  /** Frame must be whole so long after it was pushed. */
  readonly deadlineMs: number;
}

export interface CellFigures {
  readonly frames: number;
  /** Frames not whole within the deadline / frames. */
  readonly late: number;
  /** ms from push to whole; a frame that never was counts as infinitely late. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** Fragments sent again / fragments. */
  readonly redundancy: number;
  /** IP bytes forwards / media bytes − 1. */
  readonly overhead: number;
  /** Repairs of what had arrived / repairs. */
  readonly spurious: number;
  readonly reverseKbps: number;
  /** Share of packets the link lost forwards. */
  readonly lost: number;
  readonly hash: string;
}

export const FRAME_MS = 1000 / 30;
export const FRAGMENTS = 7;
/** Frames before these are the warm-up, and count for nothing. */
const WARM_UP_FRAMES = 60;
const FLAGS_REFERENCE = 3;

export function runCell(cell: Cell, frames: number, seed: number): CellFigures {
  const world = new World({ seed });
  const hot = createHotPath({ memoryMiB: 16 });
  const link: LinkModel = {
    ...IDEAL,
    delayMs: cell.rttMs / 2,
    loss: cell.loss,
    reorderRate: cell.jitterMs > 0 ? 1 : 0,
    reorderMs: cell.jitterMs,
  };
  const clock = { offsetMs: 0, driftPpm: 0 };
  const host = { down: IDEAL, up: link, region: 0, hot };
  const sender = world.add({
    host: { ...host, address: SENDER, role: HostRole.publisher },
    clock,
    create: (env) => new PairSender(env, ms(0)),
  });
  const receiver = world.add({
    host: { ...host, address: RECEIVER, role: HostRole.edge },
    clock,
    create: (env) => new PairReceiver(env, ms(0)),
  });
  const total = WARM_UP_FRAMES + frames;
  const book = new FrameBook(total);
  (receiver.node as PairReceiver).onFragment = (number) => book.arrived(number, world.nowMs);
  const spec = { fragments: FRAGMENTS, lastBytes: BODY_BYTES, flags: FLAGS_REFERENCE };
  for (let i = 0; i < total; i++) {
    const at = i * FRAME_MS;
    world.run(at);
    const dependsOn = i === 0 ? 0 : 1;
    sender.command((node, now) => node.push(now, { ...spec, dependsOn }, now + cell.deadlineMs));
  }
  world.run(total * FRAME_MS + 2000);
  const node = sender.node as PairSender;
  const seconds = world.nowMs / 1000;
  const { counters } = sender.host.up;
  return {
    frames,
    ...book.figures(cell.deadlineMs),
    redundancy: node.resent / node.fragmentsPushed,
    overhead: sender.host.bytesOut / node.bytesPushed - 1,
    spurious: node.resent === 0 ? 0 : node.spurious / node.resent,
    reverseKbps: (receiver.host.bytesOut * 8) / 1000 / seconds,
    lost: counters.packetsLost / counters.packetsOffered,
  };
}

/** When each frame was whole. */
class FrameBook {
  readonly #missing: Uint8Array;
  readonly #seen: Uint8Array;
  readonly #delays: Float64Array;

  constructor(frames: number) {
    this.#missing = new Uint8Array(frames).fill(FRAGMENTS);
    this.#seen = new Uint8Array(frames);
    this.#delays = new Float64Array(frames).fill(Number.POSITIVE_INFINITY);
  }

  arrived(number: number, nowMs: number): void {
    const frame = Math.floor(number / FRAGMENTS);
    const bit = 1 << (number % FRAGMENTS);
    if (((this.#seen[frame] as number) & bit) !== 0) return;
    this.#seen[frame] = (this.#seen[frame] as number) | bit;
    this.#missing[frame] = (this.#missing[frame] as number) - 1;
    if (this.#missing[frame] === 0) this.#delays[frame] = nowMs - frame * FRAME_MS;
  }

  figures(deadlineMs: number): Pick<CellFigures, "late" | "p50" | "p99" | "p999" | "hash"> {
    const delays = this.#delays.slice(WARM_UP_FRAMES);
    const hash = new WorkHash();
    let late = 0;
    for (const delay of delays) {
      if (!(delay <= deadlineMs)) late++;
      hash.add(delay === Number.POSITIVE_INFINITY ? -1 : Math.round(delay * 1000));
    }
    delays.sort();
    const at = (share: number): number =>
      delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] as number;
    return {
      late: late / delays.length,
      p50: at(0.5),
      p99: at(0.99),
      p999: at(0.999),
      hash: hash.text(),
    };
  }
}
