/** One viewer of a real swarm: a production peer on a shaped socket, seen by meters at its rim. */
import { Prng } from "../../runtime/base/prng.ts";
import type { HotPath } from "../../runtime/core/hot-path/hot-path.ts";
import { bindUdp } from "../../runtime/io/bind-udp.ts";
import { systemClock } from "../../runtime/io/clock.ts";
import { type RunningNode, runNode } from "../../runtime/io/driver.ts";
import { systemRandom } from "../../runtime/io/entropy.ts";
import type { PeerEvent } from "../../runtime/node/api.ts";
import { Peer } from "../../runtime/node/peer/peer.ts";
import { createSwarmParams, type SwarmParams } from "../../runtime/node/swarm-params.ts";
import type { FragmentMeter } from "../../runtime/sim/measure/fragment-meter.ts";
import type { ViewerMeter } from "../../runtime/sim/measure/viewer-meter.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { HEAD_BYTES, PacketType } from "../../runtime/wire/packet.ts";
import type { Agenda } from "./agenda.ts";
import { ShapedUdp } from "./shaped-udp.ts";
import type { PlannedViewer, SwarmWorld } from "./world.ts";

export const STREAM = "live/swarm";
/** A viewer's socket: a fraction of a program's, there are many. */
const BUFFER_BYTES = 512 * 1024;
/** Of the first fragment, at the same place in DATA and BUNDLE. */
const FLAGS_AT = HEAD_BYTES - 1;

/** What all viewers of a process share. */
export interface ViewerSurroundings {
  readonly world: SwarmWorld;
  readonly edge: Address;
  readonly hot: HotPath;
  readonly agenda: Agenda;
  readonly fragments: FragmentMeter;
  readonly seed: number;
  /** ms since the run began. */
  readonly nowMs: () => number;
}

export class SwarmViewer {
  readonly plan: PlannedViewer;
  readonly peer: Peer;
  readonly meter: ViewerMeter;
  leftMs: number | undefined;
  refusals = 0;
  readonly counters = { edge: 0, offered: 0, control: 0, phases: [0, 0, 0, 0] };
  readonly #around: ViewerSurroundings;
  #shaped: ShapedUdp | undefined;
  #running: RunningNode | undefined;

  constructor(plan: PlannedViewer, meter: ViewerMeter, around: ViewerSurroundings) {
    this.plan = plan;
    this.meter = meter;
    this.#around = around;
    const { world, edge, hot } = around;
    const { player, scorer, swarm } = world.scenario;
    const environment = { hot, random: systemRandom, bootEpoch: 1 };
    this.peer = new Peer(environment, {
      edges: [edge],
      stream: STREAM,
      ...player,
      strict: false,
      uploadBytesPerSecondMax: plan.consumeOnly ? 0 : Number.POSITIVE_INFINITY,
      metered: plan.consumeOnly,
      agent: "swarm-viewer",
      swarm: createSwarmParams(swarm as Partial<SwarmParams>),
      scorer,
    });
    void this.#run();
  }

  flush(): void {
    this.#shaped?.flush();
  }

  leave(isSilent: boolean): void {
    if (this.leftMs !== undefined) return;
    this.leftMs = this.#around.nowMs();
    this.meter.finish(this.leftMs);
    this.#around.fragments.forget(this.plan.number);
    if (this.#shaped !== undefined) this.#shaped.isMute = isSilent;
    this.peer.close(systemClock.now());
    this.#running?.wake();
    this.#running?.stop();
  }

  destroy(): void {
    this.#shaped?.destroy();
  }

  async #run(): Promise<void> {
    const { world, agenda, hot, seed } = this.#around;
    const { ip, access, nat, number } = this.plan;
    const sizes = { receiveBufferBytes: BUFFER_BYTES, sendBufferBytes: BUFFER_BYTES };
    const bindMore = () => bindUdp({ host: ip, port: 0, ...sizes });
    const inner = await bindMore();
    if (this.leftMs !== undefined) return inner.close();
    const random = new Prng(seed ^ Math.imul(number + 1, 0x9e3779b1));
    this.#shaped = new ShapedUdp({
      ...{ inner, bindMore, access, nat, world, agenda, random },
      rim: {
        offered: (data, bytes) => {
          this.counters.offered += bytes;
          if (!isMedia(data)) this.counters.control += bytes;
        },
        fromEdge: (bytes) => {
          this.counters.edge += bytes;
        },
        handed: (_from, data, bytes) => this.#count(data, bytes),
      },
    });
    this.#running = runNode<PeerEvent>({
      node: this.peer,
      udp: this.#shaped,
      clock: systemClock,
      hot,
      onEvent: (event) => this.#handleEvent(event),
      onError: (error) => console.error(error),
    });
  }

  #count(data: Uint8Array, bytes: number): void {
    if (!isMedia(data)) {
      this.counters.control += bytes;
      return;
    }
    const phase = ((data[FLAGS_AT] ?? 0) >> 5) & 3;
    this.counters.phases[phase] = (this.counters.phases[phase] as number) + bytes;
    if (this.leftMs === undefined) this.#around.fragments.handleMedia(this.plan.number, data);
  }

  #handleEvent(event: PeerEvent): void {
    if (event.type === "refused") this.refusals++;
    if (event.type !== "frame" || this.leftMs !== undefined) return;
    const { frame, epoch, decodeOnly, damaged } = event;
    this.meter.handleFrame(this.#around.nowMs(), epoch, frame, decodeOnly, damaged);
  }
}

function isMedia(data: Uint8Array): boolean {
  return data[0] === PacketType.DATA || data[0] === PacketType.BUNDLE;
}
