/**
 * What a peer tells others of itself, each at its own pace: the edge its REPORT, neighbours their MAP of what is here,
 * parents its play point.
 */
import { type Ms, ms, NEVER } from "../../base/time.ts";
import type { NodeContext } from "../../core/session/node-context.ts";
import type { Session } from "../../core/session/session.ts";
import { MAP_BYTES_MAX } from "../../wire/swarm.ts";
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
const FEEDBACK_MS = 2000;

/** The organs of the peer that are told of. */
interface TellingPeer {
  readonly params: SwarmParams;
  readonly outlet: Outlet;
  readonly neighbours: Neighbours;
  readonly parents: Parents;
}

export class PeerTelling {
  readonly #context: NodeContext;
  readonly #options: PeerOptions;
  readonly #swarm: TellingPeer;
  #edge: Session | undefined;
  #backlogMs = 0;
  #backlogAt: Ms = ms(Number.NEGATIVE_INFINITY);
  #feedbackAt: Ms = NEVER;
  /** When the next REPORT is due. */
  reportAt: Ms = NEVER;

  constructor(context: NodeContext, options: PeerOptions, swarm: TellingPeer) {
    this.#context = context;
    this.#options = options;
    this.#swarm = swarm;
  }

  handleEdge(now: Ms, session: Session | undefined): void {
    this.#edge = session;
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
    this.reportAt = ms(now + this.#swarm.params.reportMs);
    const edge = this.#edge;
    if (edge === undefined || !isWelcome) return;
    edge.sendReport(
      now,
      peerReport(
        now,
        this.#context,
        this.#options,
        this.#swarm.params,
        this.#swarm.outlet,
        this.#backlogMs,
      ),
    );
  }

  /** Tells each neighbour what is here, when its turn has come. */
  gossip(now: Ms, playback: Playback): void {
    const { gossipMs } = this.#swarm.params;
    const index = playback.intake.index;
    const base = playback.buffer.wantedFrom();
    const bits = Math.max(0, Math.min(MAP_BYTES_MAX * 8, (index.next() - base) | 0));
    const bytes = (bits + 7) >>> 3;
    for (const neighbour of this.#swarm.neighbours.list) {
      if (!neighbour.isMeshed || now < neighbour.gossipAt) continue;
      neighbour.gossipAt = ms(now + gossipMs);
      const receiver = this.#swarm.outlet.receivers.get(neighbour.session);
      if (receiver === undefined || receiver.index === 0) continue;
      neighbour.session.sendMap(now, receiver.index, base, this.#spareBps(), bytes, (at) => {
        this.#context.hot.mapBuild(index.store, base, bytes * 8, at);
      });
    }
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
      neighbour.session.sendFeedback(now, [playback.feedback(now, neighbour.index)]);
    }
  }
}
