/**
 * The edge: takes streams in from publishers (sessions, or encoders in its own process), keeps each stream's last
 * seconds and current group, and pushes every fragment to its viewers as it arrives. It admits, refuses and says
 * goodbye; what one stream does lies in edge-stream.ts.
 */
import { AT_ONCE, type Ms, ms, NEVER } from "../../base/time.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import type { Admission } from "../../core/session/acceptor.ts";
import { Outbox, type Output } from "../../core/session/outbox.ts";
import { ACK_FAST, type Session, type SessionHost } from "../../core/session/session.ts";
import { type Address, addressKey } from "../../wire/address.ts";
import { CloseCode, closeName } from "../../wire/close-code.ts";
import type { ControlMessage } from "../../wire/control.ts";
import type { ClockEntry, FeedbackEntry, RequestPacket } from "../../wire/feedback.ts";
import type { MediaFrame } from "../../wire/frame.ts";
import type { ConnectPacket } from "../../wire/handshake.ts";
import { CONNECTED_FROM } from "../../wire/packet.ts";
import type { StreamInfo } from "../../wire/stream-info.ts";
import type { ReportPacket } from "../../wire/swarm.ts";
import type {
  CloseReason,
  EdgeCommands,
  EdgeEvent,
  EdgeOptions,
  EdgeStats,
  EdgeStreamStats,
  LinkStats,
  LocalPublisher,
} from "../api.ts";
import type { ClusterCommands, StreamPresence } from "../cluster-api.ts";
import { EgressCap } from "../edge-swarm/egress-cap.ts";
import type { Mesh } from "../mesh/mesh.ts";
import type { EdgeFacts, EdgeLinks, MeshCommands, RouteText } from "../mesh/mesh-api.ts";
import type { Input, NodeEnvironment, Train } from "../node.ts";
import { EdgeAdmission } from "./edge-admission.ts";
import type { EdgeIngest } from "./edge-ingest.ts";
import { EdgeIngests } from "./edge-ingests.ts";
import { type AdmitOnLine, EdgeLines } from "./edge-lines.ts";
import { EdgeMembers } from "./edge-members.ts";
import { createMesh } from "./edge-mesh.ts";

const TICK_MS = 250;
/** Each so many ticks viewers hear the clock, publishers what their viewers need. */
const CLOCK_TICKS = 4;

export class Edge implements EdgeCommands, ClusterCommands, MeshCommands, SessionHost {
  readonly #hot: HotPath;
  readonly #options: EdgeOptions;
  readonly #outbox: Outbox<EdgeEvent>;
  readonly #lines: EdgeLines;
  readonly #admission: EdgeAdmission;
  readonly #members: EdgeMembers;
  readonly #ingests: EdgeIngests;
  /** Which stream a session belongs to. */
  readonly #bySession = new Map<Session, EdgeIngest>();
  readonly #mesh: Mesh | undefined;
  readonly #egress: EgressCap | undefined;
  readonly #node = new Uint8Array(8);
  #tickAt: Ms = NEVER;
  #ticks = 0;
  #datagramsIn = 0;
  #bytesIn = 0;
  #viewers = 0;

  constructor(env: NodeEnvironment, options: EdgeOptions) {
    this.#hot = env.hot;
    this.#options = options;
    const { maxEgressBps: cap } = options;
    this.#egress = cap === undefined ? undefined : new EgressCap(cap);
    this.#outbox = new Outbox(env.hot);
    const admit: AdmitOnLine = (now, line, from, by) => this.#admit(now, line, from, by);
    this.#lines = new EdgeLines(env, this.#outbox, options.mesh?.lines.length ?? 1, admit);
    const emit = (event: EdgeEvent): void => this.#outbox.event(event);
    this.#ingests = new EdgeIngests(env, options, this.#lines.rounds, emit);
    this.#members = new EdgeMembers(env.random, () => this.#bySession.keys());
    this.#admission = new EdgeAdmission(env, options, this.#ingests, this.#egress, {
      viewers: () => this.#viewers,
      accept: (now, stream, opened) => this.#accept(now, stream, opened),
      joined: (now, ingest, session, node) => this.#join(now, ingest, session, node),
      replaced: (session) => this.#bySession.delete(session),
      decide: (now, from, connect) => this.#lines.decide(now, from, connect),
    });
    env.random.fill(this.#node);
    const { agent, mesh } = options;
    const [ingests, lines] = [this.#ingests, this.#lines];
    const parts = { hot: env.hot, agent, node: this.#node, emit, ingests, lines };
    this.#mesh = mesh === undefined ? undefined : createMesh(parts, mesh);
  }

  #inMesh(now: Ms, command: (mesh: Mesh) => void): void {
    if (this.#mesh !== undefined) command(this.#mesh);
    this.#finish(now);
  }

  /* ---------------------------------------------------------------- node */

  handleInput(now: Ms, input: Input): void {
    if (input.kind === "datagram") {
      const { from, data, slot, line = 0 } = input;
      this.#datagramsIn++;
      this.#bytesIn += data.length + (slot === 0 ? 0 : this.#hot.payloadLength(slot));
      if ((data[0] ?? 0) >= CONNECTED_FROM) {
        this.#lines.handleDatagram(now, line, from, data, slot);
      } else if (this.#mesh?.handleDatagram(now, line, data) !== true) {
        this.#lines.handleHandshake(now, line, from, data);
      }
      if (input.hasMore === true) return;
    } else {
      this.#lines.handleTimeouts(now);
      this.#mesh?.handleTimeout(now);
      if (now >= this.#tickAt) this.#tick(now);
    }
    this.#finish(now);
  }

  pollOutput(): Output<EdgeEvent> | undefined {
    return this.#outbox.poll();
  }

  readonly pollTrain = (): Train | undefined => this.#outbox.pollTrain();

  pollTimeout(): Ms {
    if (!this.#outbox.isEmpty) return AT_ONCE;
    const meshAt = this.#mesh?.nextTimeout() ?? NEVER;
    return ms(Math.min(this.#lines.nextTimeout(), meshAt, this.#tickAt));
  }

  #finish(now: Ms): void {
    this.#lines.finish(now);
    const isIdle = this.#ingests.size === 0;
    if (isIdle) this.#tickAt = NEVER;
    else if (this.#tickAt === NEVER) this.#tickAt = ms(now + TICK_MS);
  }

  #tick(now: Ms): void {
    this.#tickAt = ms(now + TICK_MS);
    const isClockDue = ++this.#ticks % CLOCK_TICKS === 0;
    const cap = this.#measureEgress(now);
    for (const ingest of this.#ingests.values()) {
      ingest.tick(now, TICK_MS, cap);
      if (isClockDue) ingest.shareClocks(now);
      if (ingest.isUnused) this.#ingests.delete(ingest);
    }
  }

  #measureEgress(now: Ms): { egress: EgressCap; demandBps: number } | undefined {
    const egress = this.#egress;
    if (egress === undefined) return undefined;
    egress.tick(now, this.#outbox.bytes - (this.#mesh?.bytesOut ?? 0));
    return { egress, demandBps: this.#ingests.sum(({ demandBps }) => demandBps) };
  }

  /* ---------------------------------------------------------------- admission */

  #admit(now: Ms, line: number, from: Address, connect: ConnectPacket): Admission {
    const { role, stream } = connect.params;
    const admission =
      role === "edge" && this.#mesh !== undefined
        ? this.#mesh.judge(now, line, connect)
        : this.#admission.judge(now, from, connect);
    if ("refuse" in admission) {
      this.#outbox.event({
        type: "refused",
        from: addressKey(from),
        stream,
        reason: closeName(admission.refuse),
        detail: `${role}: ${admission.reason}`,
      });
    }
    return admission;
  }

  #accept(
    now: Ms,
    stream: StreamInfo | undefined,
    opened: (session: Session) => EdgeIngest,
  ): Admission {
    return {
      accept: { agent: this.#options.agent, node: this.#node, stream },
      host: this,
      ack: ACK_FAST,
      opened: (session) => {
        this.#bySession.set(session, opened(session));
        this.#members.welcome(now, session);
      },
    };
  }

  #join(now: Ms, ingest: EdgeIngest, session: Session, node: Uint8Array): void {
    this.#viewers++;
    const from = session.address;
    ingest.swarm.join(now, session, node, this.#options.regionOf?.(from.ip) ?? 0);
    this.#outbox.event({
      type: "viewerJoined",
      stream: ingest.outlet.name,
      from: addressKey(from),
    });
  }

  /* ---------------------------------------------------------------- session host */

  handleControl(now: Ms, session: Session, message: ControlMessage): void {
    this.#bySession.get(session)?.handleControl(now, session, message);
  }

  handleFeedback(now: Ms, session: Session, entry: FeedbackEntry): void {
    this.#bySession.get(session)?.handleFeedback(now, session, entry);
  }

  handleClock(now: Ms, session: Session, entry: ClockEntry): void {
    this.#bySession.get(session)?.handleClock(now, session, entry);
  }

  handleRequest(now: Ms, session: Session, request: RequestPacket): void {
    this.#bySession.get(session)?.handleRequest(now, session, request);
  }

  handleAnswer(): void {}

  handleReport(now: Ms, session: Session, report: ReportPacket): void {
    this.#bySession.get(session)?.handleReport(now, session, report);
  }

  handleMap(): void {}

  handleClosed(now: Ms, session: Session, code: CloseCode, _detail: string): void {
    this.#drop(now, session, code);
  }

  #drop(now: Ms, session: Session, code: CloseCode): void {
    const ingest = this.#bySession.get(session);
    if (ingest === undefined) return;
    this.#bySession.delete(session);
    ingest.swarm.leave(now, session);
    const reason = closeName(code);
    const from = addressKey(session.address);
    if (!ingest.outlet.remove(session)) {
      ingest.publisherLeft(now, session, code);
      return;
    }
    this.#viewers--;
    this.#outbox.event({ type: "viewerLeft", stream: ingest.outlet.name, from, reason });
  }

  /* ---------------------------------------------------------------- commands */

  publishLocal(
    now: Ms,
    stream: string,
    from: string,
  ): LocalPublisher | { readonly refused: CloseReason } {
    if (this.#admission.isDraining) return { refused: "shutting down" };
    if (this.#options.keyOf(stream) === undefined) return { refused: "unknown stream" };
    if (this.#ingests.isFullFor(stream)) return { refused: "overloaded" };
    const ingest = this.#ingests.open(stream);
    if (ingest.isHeldAgainst(now, undefined)) return { refused: "stream busy" };
    const local = ingest.publishLocal(now, from);
    this.#finish(now);
    return {
      push: (at, frame) => {
        local.push(at, frame);
        this.#finish(at);
      },
      end: (at) => {
        local.end(at);
        this.#finish(at);
      },
    };
  }

  currentGroup(stream: string): readonly MediaFrame[] {
    return this.#ingests.get(stream)?.currentGroup() ?? [];
  }

  watchFrames(stream: string, on: boolean): void {
    if (on) this.#ingests.open(stream).watch(true);
    else this.#ingests.get(stream)?.watch(false);
  }

  streams(now: Ms): readonly EdgeStreamStats[] {
    return this.#ingests.stats(now);
  }

  stats(_now: Ms): EdgeStats {
    return {
      sessions: this.#lines.sessionCount,
      viewers: this.#viewers,
      publishers: this.#ingests.liveCount,
      datagramsIn: this.#datagramsIn,
      datagramsOut: this.#outbox.datagrams,
      bytesIn: this.#bytesIn,
      bytesOut: this.#outbox.bytes,
      datagramsRefused: this.#lines.datagramsRefused,
      handshakesRefused: this.#lines.handshakesRefused,
      payloadBytesUsed: this.#hot.payloadBytesUsed(),
      payloadBytesTotal: this.#hot.payloadBytesTotal(),
    };
  }

  viewers(now: Ms, stream: string, limit: number): readonly LinkStats[] {
    return this.#ingests.links(now, stream, limit);
  }

  kick(now: Ms, stream: string, from?: string): boolean {
    const ingest = this.#ingests.get(stream);
    if (ingest === undefined) return false;
    let isKicked = from !== undefined && this.#kickViewer(now, ingest, from);
    if (from === undefined) isKicked = this.#freed(ingest.kickPublisher(now));
    this.#finish(now);
    return isKicked;
  }

  /** Forgets the session of a publisher that was sent away; false when there was none to send away. */
  #freed(publisher: { readonly session: Session | undefined } | undefined): boolean {
    if (publisher?.session !== undefined) this.#bySession.delete(publisher.session);
    return publisher !== undefined;
  }

  #kickViewer(now: Ms, ingest: EdgeIngest, from: string): boolean {
    const session = ingest.outlet.receiverAt(from);
    if (session === undefined) return false;
    this.#drop(now, session, CloseCode.notWanted);
    session.close(now, CloseCode.notWanted, "removed by the operator");
    return true;
  }

  setOthers(now: Ms, others: readonly Address[]): void {
    this.#members.setOthers(now, others);
    this.#finish(now);
  }

  moveAway(now: Ms, max: number): number {
    const left = this.#members.moveAway(now, max);
    this.#finish(now);
    return left;
  }

  settleClaim(now: Ms, stream: string): void {
    this.#admission.settleClaim(now, stream);
    this.#finish(now);
  }

  yieldStream(now: Ms, stream: string, how: "moved" | "lost", detail: string): boolean {
    const isYielded = this.#freed(this.#ingests.get(stream)?.yieldPublisher(now, how, detail));
    this.#finish(now);
    return isYielded;
  }

  presence(): StreamPresence {
    return this.#ingests.presence();
  }

  drain(_now: Ms): void {
    this.#admission.isDraining = true;
  }

  setEdges(now: Ms, edges: readonly EdgeFacts[]): void {
    this.#inMesh(now, (mesh) => mesh.setEdges(now, edges));
  }

  setLinkReports(now: Ms, table: readonly EdgeLinks[]): void {
    this.#inMesh(now, (mesh) => mesh.setLinkReports(now, table));
  }

  wantStream(now: Ms, stream: string, fromEdgeId: string): void {
    this.#inMesh(now, (mesh) => mesh.wantStream(now, stream, fromEdgeId));
  }

  dropStream(now: Ms, stream: string): void {
    this.#inMesh(now, (mesh) => mesh.dropStream(now, stream));
  }

  explainRoutes(now: Ms): readonly RouteText[] {
    return this.#mesh?.explainRoutes(now) ?? [];
  }

  close(now: Ms): void {
    this.#mesh?.close(now);
    this.#admission.isDraining = true;
    for (const session of [...this.#lines.sessions()]) {
      session.close(now, CloseCode.shuttingDown, "the edge is shutting down");
    }
    this.#bySession.clear();
    for (const ingest of this.#ingests.values()) ingest.close(now);
    this.#ingests.clear();
    this.#tickAt = NEVER;
    this.#lines.finish(now);
  }
}
