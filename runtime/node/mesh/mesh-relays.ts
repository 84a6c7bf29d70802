/**
 * What this edge passes on between two others: fragments as they arrive, without waiting for whole segments, over its
 * own links to the receiving edge. It keeps them for a moment to repair what is lost behind it, asks the sender for
 * what it is asked for and has not, and says so when it cannot pass on any more.
 */
import type { Ms } from "../../base/time.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import type { Session } from "../../core/session/session.ts";
import type { ControlMessage } from "../../wire/control.ts";
import type { RequestPacket } from "../../wire/feedback.ts";
import type { FragmentHeader } from "../../wire/packet.ts";
import { Intake, type IntakeListener } from "../intake.ts";
import { P99_LIMIT_MS } from "./router.ts";
import type { Trunk } from "./trunk.ts";
import type { Leg } from "./trunk-leg.ts";

/** Kept for repairs. */
const KEEP_MS = 1500;
const KEEP_FRAGMENTS = 2048;
/** Streams passed on at once, each between one pair of edges. */
export const RELAYS_MAX = 1024;

export interface RelayHost {
  readonly hot: HotPath;
  newTrunk(name: string, to: string): Trunk;
  /** Finds it its paths. */
  routeTrunk(now: Ms, trunk: Trunk): void;
  closeTrunk(now: Ms, trunk: Trunk): void;
}

class RelayRun implements IntakeListener {
  readonly trunk: Trunk;
  readonly intake: Intake;
  /** Where it comes from, and under which index. */
  readonly from = new Map<Session, number>();
  /** It has gone by a path worth a relay: when that dies the sender may know a better one than is left here. */
  wasQuick = false;

  constructor(hot: HotPath, trunk: Trunk, message: RelayMessage) {
    const { name, id, epoch } = message;
    this.trunk = trunk;
    const retention = { retainMs: KEEP_MS, groupMsMax: KEEP_MS, capacity: KEEP_FRAGMENTS };
    this.intake = new Intake(hot, { name, id, epoch }, retention, this);
  }

  handleFresh(now: Ms, intake: Intake, header: FragmentHeader, bytes: number): void {
    const { number, index, total, flags } = header;
    this.trunk.fragment(now, number, index, total, flags, bytes);
    intake.index.evict(now);
  }

  handleWhole(): void {}
}

type RelayMessage = ControlMessage & { readonly t: "relay" };

export class MeshRelays {
  readonly #host: RelayHost;
  readonly #runs = new Map<string, RelayRun>();

  constructor(host: RelayHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#runs.size;
  }

  /** `isReachable`: there is a link to the receiving edge. */
  handleRelay(now: Ms, session: Session, fromEdgeId: string, message: RelayMessage): void {
    const { name, to, epoch, index } = message;
    const key = `${fromEdgeId} ${to} ${name}`;
    let run = this.#runs.get(key);
    if (run !== undefined && run.intake.stream.epoch !== epoch) {
      this.#end(now, key, run);
      run = undefined;
    }
    if (run === undefined) {
      if (this.#runs.size >= RELAYS_MAX) return this.#refuse(now, session, index, "relays enough");
      run = new RelayRun(this.#host.hot, this.#host.newTrunk(name, to), message);
      this.#runs.set(key, run);
      run.trunk.begin(now, run.intake.asSource());
    }
    const before = run.from.get(session);
    if (before !== undefined) session.sinks.delete(before);
    run.from.set(session, index);
    session.sinks.set(index, run.intake);
    this.#host.routeTrunk(now, run.trunk);
    this.checkReach(now);
  }

  #refuse(now: Ms, session: Session, index: number, reason: string): void {
    session.sendControl(now, { t: "relayOff", index, reason });
  }

  /** The sender leaves this path, or the run is over. False when it is none of ours. */
  handleEnded(now: Ms, session: Session, index: number): boolean {
    for (const [key, run] of this.#runs) {
      if (run.from.get(session) !== index) continue;
      run.from.delete(session);
      session.sinks.delete(index);
      if (run.from.size === 0) this.#end(now, key, run);
      return true;
    }
    return false;
  }

  handleClosed(now: Ms, session: Session): void {
    for (const [key, run] of this.#runs) {
      if (run.from.delete(session) && run.from.size === 0) this.#end(now, key, run);
    }
  }

  /** The receiving edge does not want it: the sender is told. */
  handleUnfetch(now: Ms, edgeId: string, name: string): void {
    for (const [key, run] of this.#runs) {
      if (run.trunk.to === edgeId && run.trunk.name === name)
        this.#off(now, key, run, "not wanted");
    }
  }

  /** The capture clock of what is passed on is known now. */
  clockKnown(now: Ms, intake: Intake): void {
    for (const run of this.#runs.values()) if (run.intake === intake) run.trunk.sendClocks(now);
  }

  /** Missed by the receiving edge and not here either: the sender may have it. */
  forward(now: Ms, leg: Leg, trunk: Trunk, ranges: RequestPacket["ranges"]): void {
    if (ranges.length === 0) return;
    for (const run of this.#runs.values()) {
      if (run.trunk !== trunk || !trunk.legs.includes(leg)) continue;
      for (const [session, stream] of run.from) {
        if (session.isOpen) return session.sendRequest(now, { stream, flags: 0, ranges });
      }
    }
  }

  /** Tells senders of runs that can no longer be passed on. */
  checkReach(now: Ms): void {
    for (const [key, run] of this.#runs) {
      const quickMs = run.trunk.paths.active[0]?.delayMs ?? Number.POSITIVE_INFINITY;
      run.wasQuick ||= quickMs <= P99_LIMIT_MS;
      if (!run.trunk.legs.some(({ isUsable }) => isUsable)) {
        this.#off(now, key, run, `no link to "${run.trunk.to}" is up`);
      } else if (run.wasQuick && quickMs > P99_LIMIT_MS) {
        this.#off(now, key, run, `only slow links to "${run.trunk.to}" are left`);
      }
    }
  }

  #off(now: Ms, key: string, run: RelayRun, reason: string): void {
    for (const [session, index] of run.from) {
      if (session.isOpen) this.#refuse(now, session, index, reason);
    }
    this.#end(now, key, run);
  }

  #end(now: Ms, key: string, run: RelayRun): void {
    this.#runs.delete(key);
    for (const [session, index] of run.from) if (session.isOpen) session.sinks.delete(index);
    this.#host.closeTrunk(now, run.trunk);
    run.intake.close();
  }

  close(now: Ms): void {
    for (const [key, run] of this.#runs) this.#end(now, key, run);
  }
}
