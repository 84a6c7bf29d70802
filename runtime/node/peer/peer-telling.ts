/**
 * What a peer tells others of itself, each at its own pace: the edge its REPORT, neighbours their MAP of what is here,
 * parents its play point.
 */
import { serialDiff } from "../../base/serial.ts";
import { type Ms, ms, NEVER } from "../../base/time.ts";
import type { NodeContext } from "../../core/session/node-context.ts";
import type { Session } from "../../core/session/session.ts";
import { PacketType } from "../../wire/packet.ts";
import { encodeMap, encodeReport, encodeTrain, MAP_BYTES_MAX } from "../../wire/swarm.ts";
import type { PeerOptions } from "../api.ts";
import type { Outlet } from "../edge/outlet.ts";
import type { SwarmParams } from "../swarm-params.ts";
import type { Neighbours } from "./neighbours.ts";
import type { Parents } from "./parents.ts";
import { peerReport } from "./peer-report.ts";
import type { Playback } from "./playback.ts";

/** How often a super node looks at what waits for its uplink. */
const BACKLOG_MS = 100;
/** Parents hear of our play point this often: it moves slowly. */
const FEEDBACK_MS = 3000;
/** It waits so long for an ACK to travel with. */
const FEEDBACK_WAIT_MS = 1000;

/** A MAP's run is a u16. */
const RUN_MAX = 0xffff;

/** The extent of a MAP: `run` fragments before `base`, and `bytes` of bitmap from there on. */
interface MapShape {
  readonly base: number;
  readonly run: number;
  readonly bytes: number;
}

/** The organs of the peer that are told of. */
interface TellingPeer {
  readonly params: SwarmParams;
  readonly outlet: Outlet;
  readonly neighbours: Neighbours;
  readonly parents: Parents;
  readonly isSuperNode: boolean;
}

export class PeerTelling {
  readonly #context: NodeContext;
  readonly #options: PeerOptions;
  readonly #swarm: TellingPeer;
  #edge: Session | undefined;
  #backlogMs = 0;
  #backlogAt: Ms = ms(Number.NEGATIVE_INFINITY);
  #feedbackAt: Ms = NEVER;
  #hasSentTrain = false;
  /** When the next REPORT is due. */
  reportAt: Ms = NEVER;

  constructor(context: NodeContext, options: PeerOptions, swarm: TellingPeer) {
    this.#context = context;
    this.#options = options;
    this.#swarm = swarm;
  }

  handleEdge(now: Ms, session: Session | undefined): void {
    this.#edge = session;
    this.#hasSentTrain = false;
    this.reportAt = session === undefined ? NEVER : ms(now + this.#swarm.params.reportMs / 4);
  }

  /** How long what waits for the uplink will take, smoothed over about a second. */
  noteBacklog(now: Ms): void {
    if (now < this.#backlogAt) return;
    this.#backlogAt = ms(now + BACKLOG_MS);
    const { uplink } = this.#context;
    const queuedMs = uplink.isLimited
      ? (this.#swarm.outlet.queuedBytes * 8000) / uplink.rateBps
      : 0;
    this.#backlogMs += (queuedMs - this.#backlogMs) / 8;
  }

  /** `isWelcome`: the edge has this peer in its swarm. */
  report(now: Ms, isWelcome: boolean): void {
    const { reportMs, rampMs } = this.#swarm.params;
    this.reportAt = ms(now + (this.#swarm.isSuperNode ? rampMs : reportMs));
    const edge = this.#edge;
    if (edge === undefined || !isWelcome) return;
    this.#sendTrain(now, edge);
    const { params, outlet } = this.#swarm;
    const report = peerReport(now, this.#context, this.#options, params, outlet, this.#backlogMs);
    edge.sendUnnumbered(now, PacketType.REPORT, (buf, at) => encodeReport(buf, at, report));
  }

  /** Once, and only by those who may be recruited: how fast the uplink is (TRAIN). */
  #sendTrain(now: Ms, edge: Session): void {
    if (this.#hasSentTrain) return;
    this.#hasSentTrain = true;
    const { uploadBytesPerSecondMax, metered } = this.#options;
    if (metered === true || Number.isFinite(uploadBytesPerSecondMax)) return;
    for (let i = 0; i < this.#swarm.params.trainPackets; i++) {
      edge.sendUnnumbered(now, PacketType.TRAIN, (buf, at) => encodeTrain(buf, at, 0));
    }
  }

  /** Tells each neighbour what is here, when its turn has come. */
  gossip(now: Ms, playback: Playback): void {
    const { gossipMs } = this.#swarm.neighbours;
    const { hot } = this.#context;
    const { store } = playback.intake.index;
    let map: MapShape | undefined;
    for (const neighbour of this.#swarm.neighbours.list) {
      if (!neighbour.isMeshed || now < neighbour.gossipAt) continue;
      neighbour.gossipAt = ms(now + gossipMs);
      const receiver = this.#swarm.outlet.receivers.get(neighbour.session);
      if (receiver === undefined || receiver.index === 0) continue;
      map ??= this.#mapShape(playback);
      const { base, run, bytes } = map;
      neighbour.session.sendUnnumbered(now, PacketType.MAP, (buf, at) =>
        encodeMap(buf, at, receiver.index, base, run, this.#spareBps(), bytes, (to) => {
          hot.mapBuild(store, base, bytes * 8, to);
        }),
      );
    }
  }

  /** Whole up to the first hole, bit by bit behind it. Who uploads nothing has nothing to show. */
  #mapShape(playback: Playback): MapShape {
    const { index } = playback.intake;
    const from = playback.buffer.wantedFrom();
    const next = index.next();
    if (this.#options.uploadBytesPerSecondMax === 0) return { base: next, run: 0, bytes: 0 };
    const base = index.holes(from, next, 1) === 0 ? next : (this.#context.hot.out[0] as number);
    const bits = Math.max(0, Math.min(MAP_BYTES_MAX * 8, serialDiff(next, base)));
    const run = Math.max(0, Math.min(RUN_MAX, serialDiff(base, from)));
    return { base: base >>> 0, run, bytes: (bits + 7) >>> 3 };
  }

  #spareBps(): number {
    const limit = this.#context.uplink.rateBps;
    const cap = this.#options.uploadBytesPerSecondMax * 8;
    return Math.min(cap, limit > 0 ? limit : this.#swarm.params.uplinkGuessBps);
  }

  /** Tells parents of our play point now and then. */
  feedParents(now: Ms, playback: Playback): void {
    if (this.#feedbackAt !== NEVER && now < this.#feedbackAt) return;
    this.#feedbackAt = ms(now + FEEDBACK_MS);
    for (const neighbour of this.#swarm.neighbours.list) {
      if (neighbour.index === 0 || !this.#swarm.parents.isParent(neighbour.key)) continue;
      const { session, index } = neighbour;
      session.sendFeedback(now, [playback.feedback(now, index)], FEEDBACK_WAIT_MS);
    }
  }
}
