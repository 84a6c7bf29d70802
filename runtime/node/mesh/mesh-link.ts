/**
 * One pair of lines, mine and another edge's: the session over it, kept up for as long as the other edge is a member,
 * and what it is like. A link is `down` until a ping was answered, and from when it falls silent; after an outage it
 * is on probation, used by nobody, until it has answered for a while. The edge whose name comes first connects.
 */
import { type Ms, ms, NEVER } from "../../base/time.ts";
import { Connector, type ConnectResult } from "../../core/session/connector.ts";
import type { NodeContext } from "../../core/session/node-context.ts";
import { ACK_EDGE, type Session, type SessionHost } from "../../core/session/session.ts";
import type { HeapMember } from "../../core/time/timer-heap.ts";
import { CloseCode } from "../../wire/close-code.ts";
import { encodePing } from "../../wire/feedback.ts";
import type { ConnectParams } from "../../wire/handshake.ts";
import { checkMeshProof, type MeshClaim, meshProofOf } from "../../wire/mesh-proof.ts";
import { PacketType } from "../../wire/packet.ts";
import { toClockUnits } from "../../wire/segment.ts";
import { RateMeter } from "../rate-meter.ts";
import { LinkMeter } from "./link-meter.ts";
import type { LineFacts, LinkReport } from "./mesh-api.ts";

/** Between two pings of a link that carries media or stands in for one that does, and of the others. */
const PING_ACTIVE_MS = 200;
const PING_STANDBY_MS = 1000;
/** After one unanswered the next come so quickly; so many in a row, and nothing else heard: the link is down. */
const PING_DOUBT_MS = 40;
const SILENT_PINGS = 3;
/** So many fragments in a row not acknowledged in time, and nothing else heard: likewise. */
const SILENT_FRAGMENTS = 3;
/** A link that was down answers for this long before it is used again. */
export const PROBATION_MS = 2000;
/** Attempts to connect begin this far apart, up to the other. */
const RETRY_MS_FIRST = 250;
const RETRY_MS_MAX = 2000;
/** Numbers of the mesh's own pings; the session's are below. */
const PING_BASE = 0x8000_0000;

export type LinkState = "down" | "probation" | "up";

/** What a link needs of the mesh it belongs to. */
export interface LinkHost extends SessionHost {
  readonly edgeId: string;
  readonly secret: string;
  readonly agent: string;
  /** 8 B */
  readonly node: Uint8Array;
  /** It came up or went down. */
  linkChanged(now: Ms, link: MeshLink, reason: string): void;
  /** A session stands, or the one that stood is gone. */
  linkOpened(now: Ms, link: MeshLink, session: Session): void;
  /** We have closed it ourselves. */
  sessionClosed(now: Ms, session: Session): void;
}

export class MeshLink implements HeapMember {
  heapIndex = -1;
  heapDeadline = 0;
  readonly mine: LineFacts;
  readonly edgeId: string;
  /** The other side's line; replaced when its facts change. */
  their: LineFacts;
  readonly context: NodeContext;
  readonly meter = new LinkMeter();
  readonly rate = new RateMeter();
  session: Session | undefined;
  state: LinkState = "down";
  /** When it last fell silent. */
  fellAt = Number.NEGATIVE_INFINITY;
  /** Paths that use it, or may have to at once: it is pinged more often. */
  isActive = false;
  readonly #host: LinkHost;
  #connector: Connector | undefined;
  /** Cookies we have proved the secret over: HELLOs said again bring several, and any may be answered. */
  readonly #claimed: { cookie: Uint8Array; cid: { hi: number; lo: number } }[] = [];
  #retryAt: Ms;
  #retryMs = RETRY_MS_FIRST;
  #pingAt: Ms = NEVER;
  /** Since when it answers again; NaN while it does not. */
  #answersSince = Number.NaN;
  #wasUp = false;
  #doubtedAt = Number.NEGATIVE_INFINITY;
  #doubtedSince = Number.NEGATIVE_INFINITY;
  #bytesBefore = 0;

  constructor(
    host: LinkHost,
    context: NodeContext,
    mine: LineFacts,
    edgeId: string,
    their: LineFacts,
    now: Ms,
  ) {
    this.#host = host;
    this.context = context;
    this.mine = mine;
    this.edgeId = edgeId;
    this.their = their;
    this.#retryAt = now;
  }

  get isInitiator(): boolean {
    return this.#host.edgeId < this.edgeId;
  }

  /** Sound: to be used like any other. */
  get isUp(): boolean {
    return this.state === "up" && this.session?.isOpen === true;
  }

  /** Better than nothing: up, or on probation. */
  get canCarry(): boolean {
    return this.state !== "down" && this.session?.isOpen === true;
  }

  /** Another link of one of its lines has fallen silent, and nothing has been heard here since. */
  get isDoubted(): boolean {
    return (this.session?.lastReceivedAt ?? 0) < this.#doubtedSince;
  }

  /** Asks at once whether it still answers. */
  doubt(now: Ms): void {
    if (this.session === undefined || this.state === "down") return;
    this.#doubtedSince = now;
    this.#ping(now);
  }

  get name(): string {
    return `${this.mine.lineId}→${this.edgeId}/${this.their.lineId}`;
  }

  /* ---------------------------------------------------------------- session */

  nextTimeout(): Ms {
    if (this.session !== undefined) return this.#pingAt;
    if (!this.isInitiator) return NEVER;
    return this.#connector?.nextTimeout() ?? this.#retryAt;
  }

  handleTimeout(now: Ms): void {
    if (this.session !== undefined) {
      if (now >= this.#pingAt) this.#ping(now);
      this.check(now);
    } else if (this.#connector !== undefined) this.#connector.handleTimeout(now);
    else if (this.isInitiator && now >= this.#retryAt) this.#connect(now);
  }

  /** Handshake packets; false when this link did not ask for them. */
  handleDatagram(now: Ms, data: Uint8Array): boolean {
    return this.#connector?.handleDatagram(now, this.their.address, data) ?? false;
  }

  #connect(now: Ms): void {
    const claim: MeshClaim = {
      edge: this.#host.edgeId,
      line: this.mine.lineId,
      to: this.edgeId,
      at: this.their.address,
    };
    const { agent, node, secret } = this.#host;
    this.#connector = new Connector(this.context, now, {
      to: [this.their.address],
      host: this.#host,
      ack: ACK_EDGE,
      params: (cookie, cid): ConnectParams => {
        this.#claimed.push({ cookie, cid });
        const proof = meshProofOf("connect", secret, cookie, cid, claim);
        return { role: "edge", stream: "", agent, node, claim, proof };
      },
      done: (at, result) => this.#handleResult(at, result, claim),
    });
  }

  #handleResult(now: Ms, result: ConnectResult, claim: MeshClaim): void {
    this.#connector = undefined;
    const claimed = this.#claimed.splice(0);
    if (result.type === "refused") return this.#retry(now, `refused: ${result.reason}`);
    const { session, accept } = result;
    const { proof } = accept.params;
    const isProven = claimed.some(({ cookie, cid }) => {
      return checkMeshProof("accept", this.#host.secret, cookie, cid, claim, proof);
    });
    if (!isProven) {
      session.close(now, CloseCode.wrongKey, "the cluster's secret was not proved");
      return this.#retry(now, "does not know the cluster's secret");
    }
    this.adopt(now, session);
  }

  #retry(now: Ms, reason: string): void {
    this.#retryAt = ms(now + this.#retryMs * (0.75 + 0.5 * this.context.random.next()));
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
    this.#host.linkChanged(now, this, reason);
  }

  /** Takes a session whose other side has proved who it is; an older one gives way. */
  adopt(now: Ms, session: Session): void {
    const before = this.session;
    this.session = undefined;
    if (before !== undefined) this.#end(now, before, "a newer session between these lines");
    this.session = session;
    this.#retryMs = RETRY_MS_FIRST;
    this.#bytesBefore = 0;
    this.meter.restart();
    this.#pingAt = now;
    this.#host.linkOpened(now, this, session);
    this.handleTimeout(now);
  }

  /** The session is over. */
  handleClosed(now: Ms, session: Session, reason: string): void {
    if (session !== this.session) return;
    this.session = undefined;
    this.#fall(now, reason);
    this.#retry(now, reason);
  }

  close(now: Ms, reason: string): void {
    this.#connector?.cancel();
    this.#connector = undefined;
    const { session } = this;
    this.session = undefined;
    this.state = "down";
    if (session !== undefined) this.#end(now, session, reason);
  }

  #end(now: Ms, session: Session, reason: string): void {
    session.close(now, CloseCode.done, reason);
    this.#host.sessionClosed(now, session);
  }

  /* ---------------------------------------------------------------- pings */

  #ping(now: Ms): void {
    const isWatched = this.isActive || this.state !== "up";
    const usualMs = isWatched ? PING_ACTIVE_MS : PING_STANDBY_MS;
    const isDoubted = this.state === "up" && this.meter.silent(now) > 0;
    const everyMs = isDoubted ? PING_DOUBT_MS : usualMs;
    this.#pingAt = ms(now + everyMs * (0.9 + 0.2 * this.context.random.next()));
    const number = PING_BASE + this.meter.ping(now);
    const units = toClockUnits(now);
    this.session?.sendUnnumbered(now, PacketType.PING, (buf, at) =>
      encodePing(buf, at, number, units),
    );
  }

  handlePong(now: Ms, number: number, rttMs: number): void {
    if (number < PING_BASE) return;
    this.meter.pong(number - PING_BASE, rttMs);
    if (Number.isNaN(this.#answersSince)) this.#answersSince = now;
    if (this.state === "up") return;
    if (this.state === "probation" && now < this.#answersSince + PROBATION_MS) return;
    const isProbation = this.state === "down" && this.#wasUp;
    this.state = isProbation ? "probation" : "up";
    this.#wasUp = true;
    this.#host.linkChanged(now, this, isProbation ? "answers again, on probation" : "answers");
  }

  /** It is to be pinged as often as one that carries media, or no more. */
  setActive(now: Ms, isActive: boolean): void {
    if (isActive && !this.isActive) this.#pingAt = ms(Math.min(this.#pingAt, now));
    this.isActive = isActive;
  }

  /** Whether it has fallen silent; called on timeouts, and when media goes unanswered. */
  check(now: Ms): void {
    if (this.state === "down" || this.meter.silent(now) < SILENT_PINGS) return;
    const heardAt = this.session?.lastReceivedAt ?? Number.NEGATIVE_INFINITY;
    if (now - heardAt > this.lateMs) this.#fall(now, "pings unanswered");
  }

  /** Media sent at `sentAt` was not acknowledged in time, the `count`th fragment in a row. */
  handleSilence(now: Ms, sentAt: Ms, count: number): void {
    const heardAt = this.session?.lastReceivedAt ?? Number.NEGATIVE_INFINITY;
    if (heardAt >= sentAt) return;
    if (count >= SILENT_FRAGMENTS) this.#fall(now, "media unanswered");
    else if (now > this.#doubtedAt + PING_DOUBT_MS && this.session !== undefined) {
      this.#doubtedAt = now;
      this.#ping(now);
    }
  }

  #fall(now: Ms, reason: string): void {
    this.#answersSince = Number.NaN;
    const wasDown = this.state === "down";
    if (!wasDown) this.fellAt = now;
    this.state = "down";
    if (!wasDown) this.#host.linkChanged(now, this, reason);
  }

  /* ---------------------------------------------------------------- figures */

  /** After this long without an acknowledgement a fragment is taken for lost. */
  get lateMs(): number {
    return this.meter.lateMs;
  }

  /** From here to there when nothing goes wrong, what waits here included, ms. */
  expectedMs(): number {
    const { rttMs, jitterMs } = this.meter;
    const base = Number.isNaN(rttMs) ? 50 : rttMs / 2 + jitterMs;
    return base + (this.session === undefined ? 0 : this.#queueMs(this.session));
  }

  #queueMs(session: Session): number {
    const { queue } = session;
    if (queue.queuedBytes === 0) return 0;
    return (queue.queuedBytes * 8) / this.usableKbps();
  }

  /** What it can carry: the lesser line, or what congestion has left of it. */
  usableKbps(): number {
    const linesKbps = Math.min(this.mine.capacityMbps, this.their.capacityMbps) * 1000;
    const limitBps = this.session?.queue.rateBps ?? 0;
    return limitBps === 0 ? linesKbps : Math.min(linesKbps, limitBps / 1000);
  }

  /** Counts what was sent since the last call. */
  measure(now: Ms): void {
    const bytes = this.session?.bytesOut ?? 0;
    this.rate.count(now, Math.max(0, bytes - this.#bytesBefore));
    this.#bytesBefore = bytes;
  }

  report(now: Ms): LinkReport {
    const { rttMs, jitterMs } = this.meter;
    return {
      fromLineId: this.mine.lineId,
      toEdgeId: this.edgeId,
      toLineId: this.their.lineId,
      rttMs: Number.isNaN(rttMs) ? 0 : rttMs,
      jitterMs,
      loss: Math.max(this.meter.loss(), this.state === "up" ? 0 : 1),
      usableKbps: this.usableKbps(),
      usedKbps: (this.rate.bytesPerSecond(now) * 8) / 1000,
      isUp: this.isUp,
    };
  }
}
