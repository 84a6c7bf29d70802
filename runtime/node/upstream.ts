/**
 * A node's way to its edge, kept up for as long as the node lives. It begins with a handshake, follows an edge that
 * sends it on, and tries again, elsewhere if there is an elsewhere, when the session is lost. Where other edges are
 * known it does not wait for silence to count as death: after a doubt it asks another edge, and changes over as soon
 * as that one has taken it. An edge that goes away is left in the same manner, the new session first.
 */
import { type Ms, ms, NEVER } from "../base/time.ts";
import { Connector, type ConnectResult } from "../core/session/connector.ts";
import type { NodeContext } from "../core/session/node-context.ts";
import type { AckProfile, Session, SessionHost } from "../core/session/session.ts";
import { type Address, addressKey } from "../wire/address.ts";
import { CloseCode, closeName } from "../wire/close-code.ts";
import type { ControlMessage } from "../wire/control.ts";
import type { AcceptPacket, ConnectParams } from "../wire/handshake.ts";
import type { LinkEvent } from "./api.ts";
import { EdgeList } from "./edge-list.ts";

const RETRY_MS_FIRST = 250;
const RETRY_MS_MAX = 2000;
/**
 * A stream may look busy for a moment after its publisher died: asked this often before it counts as refused for
 * good.
 */
const BUSY_ATTEMPTS_MAX = 5;
/** Edges in a row that may send us on (docs/WIRE.md §5). */
const MOVED_MAX = 3;
/** With other edges to turn to, a silent one is asked so often: 1 s in all. */
const ATTEMPTS_OF_MANY = 3;
/** A HELLO to the only edge there is: a lost one must not cost a viewer its quick start. */
const HELLO_RETRY_MS = 80;
/** An edge silent for this long is pinged, this often, where there are others. */
const QUIET_MS = 350;
const QUIET_PING_MS = 150;
/** Silent for this long after that (or twice the round trip): another one is asked. */
const DOUBT_MS = 350;
/** Of these pings so many must have gone unanswered: who was asleep itself has heard nobody either. */
const PINGS_MIN = 2;
/** What is asked while the session stands and comes to nothing is asked again after this. */
const CHANGE_RETRY_MS = 500;

/** Refusals that asking again cannot change. */
const FINAL: readonly number[] = [
  CloseCode.wrongKey,
  CloseCode.unknownStream,
  CloseCode.badRequest,
  CloseCode.notWanted,
  CloseCode.version,
];

export interface UpstreamOptions {
  /** Edges to try, in order. */
  readonly edges: readonly Address[];
  readonly host: SessionHost;
  readonly ack: AckProfile;
  /** `moved`: edges in a row that have sent us on; undefined = none. */
  readonly params: (
    cookie: Uint8Array,
    cid: { hi: number; lo: number },
    moved: number | undefined,
  ) => ConnectParams;
  /** A session stands; called before any data of it is handled. The one before it is closed after. */
  readonly opened: (now: Ms, session: Session, accept: AcceptPacket) => void;
  readonly event: (event: LinkEvent) => void;
}

export class Upstream {
  readonly #context: NodeContext;
  readonly #options: UpstreamOptions;
  readonly #edges: EdgeList;
  session: Session | undefined;
  #connector: Connector | undefined;
  #retryAt: Ms;
  #retryMs = RETRY_MS_FIRST;
  #busyAttempts = 0;
  #moved = 0;
  /** An attempt has failed, or a session was lost: several edges are asked at once. */
  #isInNeed = false;
  /** The edge has asked us to leave. */
  #isLeaving = false;
  #pingedAt: Ms = ms(Number.NEGATIVE_INFINITY);
  #pings = 0;
  /** Refused for good, or closed by us: no more attempts. */
  isFinal = false;

  constructor(context: NodeContext, now: Ms, options: UpstreamOptions) {
    this.#context = context;
    this.#options = options;
    this.#edges = new EdgeList(options.edges);
    this.#retryAt = now;
  }

  /* ---------------------------------------------------------------- time */

  nextTimeout(): Ms {
    if (this.isFinal) return NEVER;
    const connectorAt = this.#connector?.nextTimeout() ?? NEVER;
    if (this.session === undefined) {
      return this.#connector === undefined ? this.#retryAt : connectorAt;
    }
    return ms(Math.min(connectorAt, this.#watchAt(this.session)));
  }

  handleTimeout(now: Ms): void {
    if (this.isFinal) return;
    this.#calm();
    this.#connector?.handleTimeout(now);
    if (this.session !== undefined) this.#watch(now, this.session);
    else if (this.#connector === undefined && now >= this.#retryAt) this.#connect(now);
  }

  /** When the edge's silence, or its wish that we leave, next asks for something. */
  #watchAt(session: Session): Ms {
    if (this.#connector !== undefined) return NEVER;
    if (this.#isLeaving) return this.#retryAt;
    if (!this.#edges.hasOther(session.address)) return NEVER;
    const quietAt = session.lastReceivedAt + QUIET_MS;
    const pingAt = Math.max(quietAt, this.#pingedAt + QUIET_PING_MS);
    if (session.lastReceivedAt > this.#pingedAt) this.#pings = 0;
    if (this.#pings < PINGS_MIN) return ms(pingAt);
    return ms(Math.min(pingAt, Math.max(this.#doubtAt(session), this.#retryAt)));
  }

  #watch(now: Ms, session: Session): void {
    if (now < this.#watchAt(session)) return;
    const doubtAt = Math.max(this.#doubtAt(session), this.#retryAt);
    if (this.#isLeaving || (this.#pings >= PINGS_MIN && now >= doubtAt)) {
      if (!this.#isInNeed) this.#edges.avoid(session.address);
      this.#isInNeed = true;
      this.#connect(now);
    } else {
      this.#pingedAt = now;
      this.#pings++;
      session.ping(now);
    }
  }

  /** From then on a silent edge counts as doubtful. */
  #doubtAt(session: Session): number {
    return session.lastReceivedAt + QUIET_MS + Math.max(DOUBT_MS, 2 * session.srttMs());
  }

  /** The edge has spoken again before another one has answered: all is well. */
  #calm(): void {
    const { session } = this;
    if (session === undefined || this.#connector === undefined || this.#isLeaving) return;
    if (this.#connector.answeredBy !== undefined) return;
    if (session.lastReceivedAt <= this.#pingedAt) return;
    this.#connector.cancel();
    this.#connector = undefined;
    this.#isInNeed = false;
  }

  /* ---------------------------------------------------------------- what comes in */

  /** Handshake packets. False when this attempt did not ask for them. */
  handleDatagram(now: Ms, from: Address, data: Uint8Array): boolean {
    this.#calm();
    return this.#connector?.handleDatagram(now, from, data) ?? false;
  }

  /** What the edge says of other edges; false for anything else. */
  handleControl(now: Ms, session: Session, message: ControlMessage): boolean {
    if (message.t !== "edges" && message.t !== "move") return false;
    if (session !== this.session) return true;
    this.#edges.name(message.list);
    if (message.t === "edges" || !this.#edges.hasOther(session.address)) return true;
    this.#edges.prefer(message.list);
    this.#isLeaving = true;
    this.#isInNeed = true;
    this.#retryAt = now;
    return true;
  }

  /** To be called by the host when the session it was given is over. */
  handleClosed(now: Ms, session: Session, code: CloseCode, detail: string): void {
    if (session !== this.session) return;
    this.session = undefined;
    this.#isLeaving = false;
    const isFinal = FINAL.includes(code);
    this.#options.event({ type: "disconnected", reason: closeName(code), detail, final: isFinal });
    if (isFinal) this.isFinal = true;
    this.#edges.avoid(session.address);
    this.#isInNeed = true;
    /* Silence has already cost DEAD_MS, and where there is an elsewhere it need not be spared: ask at once. */
    const isUrgent = code === CloseCode.timeout || this.#edges.hasOther(session.address);
    this.#retryMs = RETRY_MS_FIRST;
    this.#retryAt = ms(now + (isUrgent ? 0 : this.#jitter(RETRY_MS_FIRST)));
  }

  /** No more attempts; says goodbye. */
  close(now: Ms): void {
    this.isFinal = true;
    this.#connector?.cancel();
    this.#connector = undefined;
    this.session?.close(now, CloseCode.done, "");
    this.session = undefined;
  }

  /* ---------------------------------------------------------------- connecting */

  #connect(now: Ms): void {
    const { host, ack, params } = this.#options;
    const to = this.#edges.next(this.#isInNeed, this.session?.address);
    if (to.length === 0) return;
    const hasOthers = this.#edges.all.length > 1;
    this.#connector = new Connector(this.#context, now, {
      to,
      host,
      ack,
      ...(hasOthers ? { attemptsMax: ATTEMPTS_OF_MANY } : { helloRetryMs: HELLO_RETRY_MS }),
      params: (cookie, cid) => params(cookie, cid, this.#moved === 0 ? undefined : this.#moved),
      done: (at, result) => this.#handleResult(at, to, result),
    });
  }

  #handleResult(now: Ms, asked: readonly Address[], result: ConnectResult): void {
    const answered = this.#connector?.answeredBy;
    const to = answered ?? (asked[0] as Address);
    this.#connector = undefined;
    if (answered !== undefined) this.#edges.putBack(asked, answered);
    if (result.type === "open") this.#changeOver(now, to, result.session, result.accept);
    else this.#handleRefused(now, to, result);
  }

  /** The new session takes over before the old one, if there is one, is closed: nothing falls between them. */
  #changeOver(now: Ms, to: Address, session: Session, accept: AcceptPacket): void {
    const before = this.session;
    this.session = session;
    this.#retryMs = RETRY_MS_FIRST;
    this.#busyAttempts = 0;
    this.#moved = 0;
    this.#isInNeed = false;
    if (before !== undefined) {
      const code = this.#isLeaving ? CloseCode.moved : CloseCode.timeout;
      const detail = `${addressKey(before.address)}: ${this.#isLeaving ? "it is going away" : "silent"}`;
      const reason = closeName(code);
      this.#options.event({ type: "disconnected", reason, detail, final: false });
    }
    this.#isLeaving = false;
    this.#options.opened(now, session, accept);
    before?.close(now, CloseCode.moved, "went to another edge");
    this.#options.event({ type: "connected", to, rttMs: session.srttMs() });
  }

  #handleRefused(now: Ms, to: Address, result: ConnectResult & { type: "refused" }): void {
    const { code } = result;
    const isSentOn = code === CloseCode.moved && this.#moved < MOVED_MAX;
    this.#moved = isSentOn ? this.#moved + 1 : 0;
    if (isSentOn) this.#edges.prefer(result.to ?? []);
    this.#isInNeed ||= code === CloseCode.timeout;
    const isBusy = code === CloseCode.streamBusy && ++this.#busyAttempts >= BUSY_ATTEMPTS_MAX;
    /* While a session stands, elsewhere is a wish: another edge's no says nothing of this one. */
    this.isFinal = this.session === undefined && (FINAL.includes(code) || isBusy);
    const retryMs = isSentOn || this.#edges.isMidRound ? 0 : this.#backOff(result.retryMs);
    this.#retryAt = ms(now + retryMs);
    const reason = closeName(code);
    const detail = `${addressKey(to)}: ${result.reason}`;
    this.#options.event({ type: "refused", reason, detail, retryMs, final: this.isFinal });
  }

  /** Until the next round of attempts, ms. */
  #backOff(retryMs: number): number {
    if (this.session !== undefined) return CHANGE_RETRY_MS;
    const waitMs = Math.max(retryMs, this.#jitter(this.#retryMs));
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
    return waitMs;
  }

  /** Spreads retries over ±25 %, so that viewers of a restarted edge do not come back all at once. */
  #jitter(delayMs: number): number {
    return delayMs * (0.75 + 0.5 * this.#context.random.next());
  }
}
