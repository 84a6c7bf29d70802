/**
 * All links of an edge: one for each of its lines and each line of every other member. It lets other edges in who prove
 * the cluster's secret, keeps the links' timers, and makes the link table that the router reads.
 */
import { type Ms, ms, NEVER } from "../../base/time.ts";
import type { Admission } from "../../core/session/acceptor.ts";
import type { NodeContext } from "../../core/session/node-context.ts";
import { ACK_EDGE, type Session } from "../../core/session/session.ts";
import { TimerHeap } from "../../core/time/timer-heap.ts";
import { sameAddress } from "../../wire/address.ts";
import { CloseCode } from "../../wire/close-code.ts";
import type { ConnectPacket } from "../../wire/handshake.ts";
import { checkMeshProof, meshProofOf } from "../../wire/mesh-proof.ts";
import type { EdgeFacts, LineFacts, LinkReport } from "./mesh-api.ts";
import { type LinkHost, MeshLink } from "./mesh-link.ts";

/** An edge that is not a member yet may be one when the registry has been read again. */
const RETRY_UNKNOWN_MS = 500;
/** Other members, and lines of one. */
export const EDGES_MAX = 256;
export const LINES_MAX = 8;

export class MeshLinks {
  readonly #host: LinkHost;
  readonly #lines: readonly LineFacts[];
  readonly #contexts: readonly NodeContext[];
  readonly #edges = new Map<string, EdgeFacts>();
  readonly #links = new Map<string, MeshLink>();
  readonly #byEdge = new Map<string, MeshLink[]>();
  readonly #bySession = new Map<Session, MeshLink>();
  readonly #timers = new TimerHeap<MeshLink>();

  constructor(host: LinkHost, lines: readonly LineFacts[], contexts: readonly NodeContext[]) {
    this.#host = host;
    this.#lines = lines;
    this.#contexts = contexts;
  }

  edges(): IterableIterator<EdgeFacts> {
    return this.#edges.values();
  }

  all(): IterableIterator<MeshLink> {
    return this.#links.values();
  }

  /** Links to an edge, none when it is no member. */
  to(edgeId: string): readonly MeshLink[] {
    return this.#byEdge.get(edgeId) ?? [];
  }

  of(session: Session): MeshLink | undefined {
    return this.#bySession.get(session);
  }

  find(lineId: string, edgeId: string, theirLineId: string): MeshLink | undefined {
    return this.#links.get(linkKey(lineId, edgeId, theirLineId));
  }

  /** The quickest link to an edge that is up. */
  quickestTo(edgeId: string): MeshLink | undefined {
    let best: MeshLink | undefined;
    for (const link of this.to(edgeId)) {
      if (!link.canCarry) continue;
      if (best === undefined || waitMs(link) < waitMs(best)) best = link;
    }
    return best;
  }

  /* ---------------------------------------------------------------- members */

  setEdges(now: Ms, edges: readonly EdgeFacts[]): void {
    const others = edges.filter(({ edgeId }) => edgeId !== this.#host.edgeId).slice(0, EDGES_MAX);
    const wanted = new Set<string>();
    this.#edges.clear();
    for (const edge of others) {
      this.#edges.set(edge.edgeId, edge);
      for (const their of edge.lines.slice(0, LINES_MAX)) {
        for (const [line, mine] of this.#lines.entries()) {
          wanted.add(this.#ensure(now, line, mine, edge.edgeId, their));
        }
      }
    }
    for (const [key, link] of this.#links) if (!wanted.has(key)) this.#remove(now, key, link);
    this.#byEdge.clear();
    for (const link of this.#links.values()) {
      const known = this.#byEdge.get(link.edgeId);
      if (known === undefined) this.#byEdge.set(link.edgeId, [link]);
      else known.push(link);
    }
  }

  #ensure(now: Ms, line: number, mine: LineFacts, edgeId: string, their: LineFacts): string {
    const key = linkKey(mine.lineId, edgeId, their.lineId);
    const known = this.#links.get(key);
    if (known !== undefined && sameAddress(known.their.address, their.address)) {
      known.their = their;
      return key;
    }
    if (known !== undefined) this.#remove(now, key, known);
    const context = this.#contexts[line] as NodeContext;
    const link = new MeshLink(this.#host, context, mine, edgeId, their, now);
    this.#links.set(key, link);
    this.touch(link);
    return key;
  }

  #remove(now: Ms, key: string, link: MeshLink): void {
    this.#links.delete(key);
    this.#timers.remove(link);
    if (link.session !== undefined) this.#bySession.delete(link.session);
    const wasUp = link.isUp;
    link.close(now, "no member any more");
    if (wasUp) this.#host.linkChanged(now, link, "no member any more");
  }

  /* ---------------------------------------------------------------- sessions */

  /** Whether an edge that asks for a session on our line `line` gets one. */
  judge(now: Ms, line: number, connect: ConnectPacket): Admission {
    const { claim, proof } = connect.params;
    const { cookie, cid } = connect;
    const { secret, edgeId, agent, node } = this.#host;
    const mine = this.#lines[line];
    const isMeant = claim !== undefined && mine !== undefined && claim.to === edgeId;
    if (!isMeant || !sameAddress(claim.at, mine.address)) {
      return refusal(CloseCode.badRequest, "another edge or line is meant", 0);
    }
    if (!checkMeshProof("connect", secret, cookie, cid, claim, proof)) {
      return refusal(CloseCode.wrongKey, "the cluster's secret is wrong", 0);
    }
    const link = this.find(mine.lineId, claim.edge, claim.line);
    if (link === undefined || link.isInitiator) {
      return refusal(CloseCode.notWanted, `"${claim.edge}" is not known here`, RETRY_UNKNOWN_MS);
    }
    return {
      accept: { agent, node, proof: meshProofOf("accept", secret, cookie, cid, claim) },
      host: this.#host,
      ack: ACK_EDGE,
      opened: (session) => {
        link.adopt(now, session);
        this.touch(link);
      },
    };
  }

  /** A link has fallen silent: perhaps the line has, and with it all others that use it. */
  doubtAround(now: Ms, fallen: MeshLink): void {
    for (const link of this.#links.values()) {
      if (link === fallen || link.session === undefined) continue;
      const isTheirs = link.edgeId === fallen.edgeId && link.their.lineId === fallen.their.lineId;
      if (!isTheirs && link.mine.lineId !== fallen.mine.lineId) continue;
      link.doubt(now);
      this.touch(link);
    }
  }

  handleOpened(link: MeshLink, session: Session): void {
    this.#bySession.set(session, link);
    session.agent = link.edgeId;
  }

  handleClosed(now: Ms, session: Session, reason: string): MeshLink | undefined {
    const link = this.#bySession.get(session);
    this.#bySession.delete(session);
    link?.handleClosed(now, session, reason);
    if (link !== undefined) this.touch(link);
    return link;
  }

  /** Handshake packets on our line `line`; false when no link asked for them. */
  handleDatagram(now: Ms, line: number, data: Uint8Array): boolean {
    const context = this.#contexts[line];
    for (const link of this.#links.values()) {
      if (link.context !== context || !link.handleDatagram(now, data)) continue;
      this.touch(link);
      return true;
    }
    return false;
  }

  close(now: Ms): void {
    for (const [key, link] of this.#links) this.#remove(now, key, link);
    this.#byEdge.clear();
    this.#edges.clear();
  }

  /* ---------------------------------------------------------------- time */

  touch(link: MeshLink): void {
    const at = link.nextTimeout();
    if (this.#links.has(linkKey(link.mine.lineId, link.edgeId, link.their.lineId))) {
      this.#timers.set(link, at);
    } else if (at !== NEVER) this.#timers.remove(link);
  }

  nextTimeout(): Ms {
    return this.#timers.next();
  }

  handleTimeout(now: Ms): void {
    for (;;) {
      const link = this.#timers.due(now);
      if (link === undefined) return;
      link.handleTimeout(now);
      this.#timers.set(link, ms(Math.max(link.nextTimeout(), now + 0.01)));
    }
  }

  report(now: Ms): LinkReport[] {
    return [...this.#links.values()].map((link) => {
      link.measure(now);
      return link.report(now);
    });
  }
}

/** Those on probation come last. */
function waitMs(link: MeshLink): number {
  return link.expectedMs() + (link.isUp ? 0 : 1000);
}

function linkKey(lineId: string, edgeId: string, theirLineId: string): string {
  return `${lineId} ${edgeId} ${theirLineId}`;
}

function refusal(refuse: CloseCode, reason: string, retryMs: number): Admission {
  return { refuse, reason, retryMs };
}
