/**
 * What the viewers carry of one stream, for whoever runs the edge: super nodes as they come and go,
 * and the edge's egress against what its viewers need.
 */
import type { Ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import { addressKey } from "../../wire/address.ts";
import type { EdgeEvent, EdgeSwarmStats } from "../api.ts";
import type { Outlet } from "../edge/outlet.ts";
import { RateMeter } from "../rate-meter.ts";
import type { EdgeSwarm } from "./edge-swarm.ts";

export class EdgeSwarmFigures {
  readonly #swarm: EdgeSwarm;
  readonly #outlet: Outlet;
  readonly #emit: (event: EdgeEvent) => void;
  readonly #egress = new RateMeter();
  readonly #demand = new RateMeter();
  #superNodes = new Set<Session>();
  #bytesIn = 0;
  #bytesOut = 0;
  #demandBytes = 0;

  constructor(swarm: EdgeSwarm, outlet: Outlet, emit: (event: EdgeEvent) => void) {
    this.#swarm = swarm;
    this.#outlet = outlet;
    this.#emit = emit;
  }

  /** Called with the edge's ticks. */
  tick(now: Ms): void {
    const outlet = this.#outlet;
    const { bytesOut } = outlet.sent();
    const demand = (outlet.bytesIn - this.#bytesIn) * outlet.receivers.size;
    this.#demand.count(now, demand);
    this.#egress.count(now, bytesOut - this.#bytesOut);
    this.#demandBytes += demand;
    this.#bytesIn = outlet.bytesIn;
    this.#bytesOut = bytesOut;
    this.#tellNews();
  }

  stats(now: Ms): EdgeSwarmStats {
    return {
      superNodes: this.#swarm.superNodeCount,
      slots: this.#swarm.slotCount,
      recruits: this.#swarm.recruits,
      reliefs: this.#swarm.reliefs,
      demandBytes: this.#demandBytes,
      egressKbps: (this.#egress.bytesPerSecond(now) * 8) / 1000,
      demandKbps: (this.#demand.bytesPerSecond(now) * 8) / 1000,
    };
  }

  #tellNews(): void {
    const present = new Set(this.#swarm.superNodes());
    for (const session of present) if (!this.#superNodes.has(session)) this.#tell(session, "came");
    for (const session of this.#superNodes) if (!present.has(session)) this.#tell(session, "went");
    this.#superNodes = present;
  }

  #tell(session: Session, change: "came" | "went"): void {
    const { name: stream } = this.#outlet;
    this.#emit({ type: "superNode", stream, from: addressKey(session.address), change });
  }
}
