/**
 * An edge among others: sessions with the other edges over every pair of lines, the streams it sends them and those it
 * takes from them, and what it passes on between two of them. Nothing of this is spoken with anybody who has not proved
 * the cluster's secret.
 */
import { ProtocolViolation } from "../../base/errors.ts";
import { type Ms, ms, NEVER } from "../../base/time.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import type { Admission } from "../../core/session/acceptor.ts";
import type { NodeContext } from "../../core/session/node-context.ts";
import type { Session } from "../../core/session/session.ts";
import { type CloseCode, closeName } from "../../wire/close-code.ts";
import type { ControlMessage } from "../../wire/control.ts";
import type { ClockEntry, FeedbackEntry, RequestPacket } from "../../wire/feedback.ts";
import type { ConnectPacket } from "../../wire/handshake.ts";
import { type EpochSource, Intake, type StreamIdentity } from "../intake.ts";
import { Fetch } from "./fetch.ts";
import type {
  EdgeFacts,
  EdgeLinks,
  MeshCommands,
  MeshEvent,
  MeshOptions,
  RouteText,
} from "./mesh-api.ts";
import type { LinkHost, MeshLink } from "./mesh-link.ts";
import { MeshLinks } from "./mesh-links.ts";
import { MeshRelays } from "./mesh-relays.ts";
import { MeshTable } from "./mesh-table.ts";
import { forget, MeshTrunks } from "./mesh-trunks.ts";

/** Links are reported so often. */
const REPORT_MS = 1000;
/** Asked again for a stream that is not here, after this. */
const NO_STREAM_MS = 1000;
/** Streams taken from others at once. */
export const FETCHES_MAX = 4096;

export interface MeshHost {
  readonly hot: HotPath;
  readonly agent: string;
  readonly node: Uint8Array;
  event(event: MeshEvent): void;
  /** What is here of a stream, and may be sent to another edge. */
  source(name: string): EpochSource | undefined;
  /** Where a run that comes from another edge goes; undefined when the stream is published here. */
  openRemote(now: Ms, stream: StreamIdentity, fromEdgeId: string): Intake | undefined;
  endRemote(now: Ms, intake: Intake): void;
  /** The run may go on from elsewhere. */
  leaveRemote(now: Ms, intake: Intake): void;
  playoutMs(name: string): number;
  /** A CLOCK has come for what is taken in here. */
  clockKnown(now: Ms, intake: Intake): void;
}

export class Mesh implements MeshCommands, LinkHost {
  readonly edgeId: string;
  readonly secret: string;
  readonly agent: string;
  readonly node: Uint8Array;
  readonly #host: MeshHost;
  readonly #isTraced: boolean;
  readonly #links: MeshLinks;
  readonly #table: MeshTable;
  readonly #trunks: MeshTrunks;
  readonly #relays: MeshRelays;
  readonly #fetches = new Map<string, Fetch>();
  #reportAt: Ms = NEVER;
  #bytesOutBefore = 0;

  /** `contexts`: one for each line, in their order. */
  constructor(host: MeshHost, options: MeshOptions, contexts: readonly NodeContext[]) {
    this.#host = host;
    this.#isTraced = options.isTraced === true;
    this.edgeId = options.edgeId;
    this.secret = options.secret;
    this.agent = host.agent;
    this.node = host.node;
    this.#links = new MeshLinks(this, options.lines, contexts);
    this.#table = new MeshTable(options.edgeId, options.lines);
    this.#trunks = new MeshTrunks(host, options, this.#links, this.#table);
    this.#relays = new MeshRelays({
      hot: host.hot,
      newTrunk: (name, to) => this.#trunks.newTrunk(name, to),
      routeTrunk: (now, trunk) => this.#trunks.routeTrunk(now, trunk),
      closeTrunk: (now, trunk) => this.#trunks.closeTrunk(now, trunk),
    });
  }

  /** UDP payload bytes sent to other edges. */
  get bytesOut(): number {
    let bytes = this.#bytesOutBefore;
    for (const { session } of this.#links.all()) bytes += session?.bytesOut ?? 0;
    return bytes;
  }

  /* ---------------------------------------------------------------- commands */

  setEdges(now: Ms, edges: readonly EdgeFacts[]): void {
    this.#links.setEdges(now, edges);
    this.#trunks.keep(now, new Set(edges.map(({ edgeId }) => edgeId)));
    if (this.#reportAt === NEVER) this.#reportAt = ms(now + REPORT_MS);
  }

  setLinkReports(_now: Ms, table: readonly EdgeLinks[]): void {
    this.#table.setReports(table);
  }

  wantStream(now: Ms, stream: string, fromEdgeId: string): void {
    const known = this.#fetches.get(stream);
    if (known === undefined) {
      if (this.#fetches.size >= FETCHES_MAX) return;
      const fetch = new Fetch(this.#fetchHost, stream, fromEdgeId, now);
      this.#fetches.set(stream, fetch);
      fetch.handleTimeout(now);
    } else if (known.from !== fromEdgeId) {
      this.#sayUnfetch(now, known.from, stream);
      known.switchTo(now, fromEdgeId);
    }
  }

  dropStream(now: Ms, stream: string): void {
    const fetch = this.#fetches.get(stream);
    if (fetch === undefined) return;
    this.#fetches.delete(stream);
    this.#sayUnfetch(now, fetch.from, stream);
    fetch.unbind();
    if (fetch.intake !== undefined) this.#host.leaveRemote(now, fetch.intake);
  }

  explainRoutes(now: Ms): readonly RouteText[] {
    return this.#trunks.explain(now);
  }

  #sayUnfetch(now: Ms, edgeId: string, name: string): void {
    this.#links.quickestTo(edgeId)?.session?.sendControl(now, { t: "unfetch", name });
  }

  close(now: Ms): void {
    for (const fetch of this.#fetches.values()) fetch.unbind();
    this.#fetches.clear();
    this.#relays.close(now);
    this.#trunks.keep(now, new Set());
    this.#links.close(now);
    this.#reportAt = NEVER;
  }

  /* ---------------------------------------------------------------- the edge's own streams */

  begin(now: Ms, name: string, source: EpochSource): void {
    this.#trunks.begin(now, name, source);
  }

  whole(name: string, first: number): void {
    const epoch = this.#host.source(name)?.stream.epoch;
    if (!this.#isTraced || epoch === undefined) return;
    this.#host.event({ type: "segment", stream: name, epoch, first });
  }

  end(now: Ms, name: string): (readonly [Session, number])[] {
    const fetch = this.#fetches.get(name);
    if (fetch !== undefined) fetch.forgetRun();
    return this.#trunks.end(now, name);
  }

  fragment(
    now: Ms,
    name: string,
    number: number,
    index: number,
    total: number,
    flags: number,
    bytes: number,
  ): void {
    this.#fetches.get(name)?.holes.note(now, number);
    this.#trunks.fragment(now, name, number, index, total, flags, bytes);
  }

  readonly #fetchHost = {
    linkTo: (edgeId: string): MeshLink | undefined => this.#links.quickestTo(edgeId),
    open: (now: Ms, stream: StreamIdentity, from: string): Intake | undefined =>
      this.#host.openRemote(now, stream, from),
    ended: (now: Ms, intake: Intake): void => this.#host.endRemote(now, intake),
    missing: (stream: string, edgeId: string, reason: string): void =>
      this.#host.event({ type: "streamMissing", stream, edgeId, reason }),
    playoutMs: (stream: string): number => this.#host.playoutMs(stream),
  };

  /* ---------------------------------------------------------------- sessions */

  judge(now: Ms, line: number, connect: ConnectPacket): Admission {
    return this.#links.judge(now, line, connect);
  }

  /** Handshake packets; false when no link asked for them. */
  handleDatagram(now: Ms, line: number, data: Uint8Array): boolean {
    return this.#links.handleDatagram(now, line, data);
  }

  linkOpened(_now: Ms, link: MeshLink, session: Session): void {
    this.#links.handleOpened(link, session);
    this.#trunks.handleOpened(session);
  }

  linkChanged(now: Ms, link: MeshLink, reason: string): void {
    const { edgeId, isUp } = link;
    const [fromLineId, toLineId] = [link.mine.lineId, link.their.lineId];
    this.#host.event({ type: "link", edgeId, fromLineId, toLineId, isUp, reason });
    if (!link.canCarry && link.session !== undefined) this.#links.doubtAround(now, link);
    this.#trunks.handleLink(now, link);
    this.#relays.checkReach(now);
    if (isUp) {
      for (const fetch of this.#fetches.values()) {
        if (fetch.from === edgeId && fetch.sessions.size === 0) fetch.switchTo(now, edgeId);
      }
    }
    this.#links.touch(link);
  }

  handleClosed(now: Ms, session: Session, code: CloseCode, detail: string): void {
    this.sessionClosed(now, session);
    this.#links.handleClosed(now, session, `${closeName(code)}: ${detail}`);
  }

  sessionClosed(now: Ms, session: Session): void {
    this.#bytesOutBefore += session.bytesOut;
    for (const fetch of this.#fetches.values()) fetch.handleClosed(session);
    this.#relays.handleClosed(now, session);
    this.#trunks.handleClosed(session);
  }

  handlePong(now: Ms, session: Session, number: number, rttMs: number): void {
    const link = this.#links.of(session);
    link?.handlePong(now, number, rttMs);
    if (link !== undefined) this.#links.touch(link);
  }

  handleControl(now: Ms, session: Session, message: ControlMessage): void {
    const link = this.#links.of(session);
    if (link === undefined) return;
    switch (message.t) {
      case "fetch":
        return this.#handleFetch(now, session, link.edgeId, message.name);
      case "unfetch":
        this.#relays.handleUnfetch(now, link.edgeId, message.name);
        return this.#trunks.unsubscribe(now, message.name, link.edgeId);
      case "stream": {
        const fetch = this.#fetches.get(message.name);
        const isTaken = fetch?.bind(now, session, message) === true;
        if (!isTaken) session.sendControl(now, { t: "unfetch", name: message.name });
        return;
      }
      case "relay":
        return this.#relays.handleRelay(now, session, link.edgeId, message);
      case "relayOff":
        return this.#trunks.handleRelayOff(now, session, message.index, message.reason);
      case "ended":
        return this.#handleEnded(now, session, link.edgeId, message.index);
      case "noStream":
        return this.#fetches.get(message.name)?.handleMissing(now, message.reason);
      default:
        throw new ProtocolViolation("unexpected", `"${message.t}" between edges`);
    }
  }

  #handleFetch(now: Ms, session: Session, edgeId: string, name: string): void {
    const isHere = this.#host.source(name) !== undefined;
    if (isHere && this.#trunks.subscribe(now, name, edgeId)) return;
    const reason = isHere ? "too many streams" : `no stream "${name}" here`;
    session.sendControl(now, { t: "noStream", name, reason, retryMs: NO_STREAM_MS });
  }

  #handleEnded(now: Ms, session: Session, edgeId: string, index: number): void {
    if (this.#relays.handleEnded(now, session, index)) return;
    for (const fetch of this.#fetches.values()) {
      fetch.handleEnded(now, session, index, fetch.from === edgeId);
    }
  }

  handleFeedback(now: Ms, session: Session, entry: FeedbackEntry): void {
    const found = this.#trunks.legOf(session, entry.stream);
    found?.trunk.handleFeedback(now, found.leg, entry);
  }

  handleClock(now: Ms, session: Session, entry: ClockEntry): void {
    const intake = session.sinks.get(entry.stream);
    if (!(intake instanceof Intake)) return;
    const isFirst = !intake.clock.ready;
    intake.clock.told(now, entry.captureOffsetMs, entry.uncertaintyMs, session.clock);
    if (!isFirst || !intake.clock.ready) return;
    this.#host.clockKnown(now, intake);
    this.#relays.clockKnown(now, intake);
  }

  handleRequest(now: Ms, session: Session, request: RequestPacket): void {
    const found = this.#trunks.legOf(session, request.stream);
    if (found === undefined) return;
    const missing = found.trunk.handleRequest(now, request, found.leg);
    this.#relays.forward(now, found.leg, found.trunk, missing);
  }

  handleAnswer(): void {}
  handleMap(): void {}
  handleReport(): void {}

  /* ---------------------------------------------------------------- time */

  nextTimeout(): Ms {
    let at = Math.min(this.#links.nextTimeout(), this.#trunks.nextTimeout(), this.#reportAt);
    for (const fetch of this.#fetches.values()) at = Math.min(at, fetch.nextTimeout());
    return ms(at);
  }

  handleTimeout(now: Ms): void {
    this.#links.handleTimeout(now);
    this.#trunks.handleTimeout(now);
    for (const fetch of this.#fetches.values()) {
      if (now >= fetch.nextTimeout()) fetch.handleTimeout(now);
    }
    if (now < this.#reportAt) return;
    this.#reportAt = ms(now + REPORT_MS);
    this.#host.event({ type: "linkReport", links: this.#links.report(now) });
    this.#relays.checkReach(now);
  }
}

export { forget };
