/**
 * A node's way to its edge, kept up for as long as the node lives: handshake with one edge after the other, one
 * session at a time, and a new attempt, with the next edge, whenever it is lost.
 */
import { type Ms, ms, NEVER } from "../base/time.ts";
import { Connector, type ConnectResult } from "../core/session/connector.ts";
import type { NodeContext } from "../core/session/node-context.ts";
import type { AckProfile, Session, SessionHost } from "../core/session/session.ts";
import { type Address, addressKey } from "../wire/address.ts";
import { CloseCode, closeName } from "../wire/close-code.ts";
import type { AcceptPacket, ConnectParams } from "../wire/handshake.ts";
import type { LinkEvent } from "./api.ts";

const RETRY_MS_FIRST = 250;
const RETRY_MS_MAX = 2000;
/**
 * A stream may look busy for a moment after its publisher died: asked this often before it counts as refused for
 * good.
 */
const BUSY_ATTEMPTS_MAX = 5;

/** Refusals that asking again cannot change. */
const FINAL: readonly number[] = [
  CloseCode.wrongKey,
  CloseCode.unknownStream,
  CloseCode.badRequest,
  CloseCode.version,
];

export interface UpstreamOptions {
  readonly edges: readonly Address[];
  readonly host: SessionHost;
  readonly ack: AckProfile;
  readonly params: (cookie: Uint8Array, cid: { hi: number; lo: number }) => ConnectParams;
  /** A session stands; called before any data of it is handled. */
  readonly opened: (now: Ms, session: Session, accept: AcceptPacket) => void;
  readonly event: (event: LinkEvent) => void;
}

export class Upstream {
  readonly #context: NodeContext;
  readonly #options: UpstreamOptions;
  session: Session | undefined;
  #connector: Connector | undefined;
  #edge = 0;
  #retryAt: Ms;
  #retryMs = RETRY_MS_FIRST;
  #busyAttempts = 0;
  /** Refused for good, or closed by us: no more attempts. */
  isFinal = false;

  constructor(context: NodeContext, now: Ms, options: UpstreamOptions) {
    this.#context = context;
    this.#options = options;
    this.#retryAt = now;
  }

  nextTimeout(): Ms {
    if (this.isFinal) return NEVER;
    if (this.#connector !== undefined) return this.#connector.nextTimeout();
    return this.session === undefined ? this.#retryAt : NEVER;
  }

  handleTimeout(now: Ms): void {
    if (this.isFinal) return;
    if (this.#connector !== undefined) this.#connector.handleTimeout(now);
    else if (this.session === undefined && now >= this.#retryAt) this.#connect(now);
  }

  /** Handshake packets. False when this attempt did not ask for them. */
  handleDatagram(now: Ms, from: Address, data: Uint8Array): boolean {
    return this.#connector?.handleDatagram(now, from, data) ?? false;
  }

  /** To be called by the host when the session it was given is over. */
  handleClosed(now: Ms, session: Session, code: CloseCode, detail: string): void {
    if (session !== this.session) return;
    this.session = undefined;
    const isFinal = FINAL.includes(code);
    this.#options.event({ type: "disconnected", reason: closeName(code), detail, final: isFinal });
    if (isFinal) this.isFinal = true;
    /* Silence has already cost DEAD_MS: ask at once, elsewhere if there is an elsewhere. */
    this.#retryMs = RETRY_MS_FIRST;
    this.#retryAt = ms(now + (code === CloseCode.timeout ? 0 : this.#jitter(RETRY_MS_FIRST)));
    this.#edge++;
  }

  /** No more attempts; says goodbye. */
  close(now: Ms): void {
    this.isFinal = true;
    this.#connector?.cancel();
    this.#connector = undefined;
    this.session?.close(now, CloseCode.done, "");
    this.session = undefined;
  }

  #connect(now: Ms): void {
    const { edges, host, ack, params } = this.#options;
    const to = edges[this.#edge % edges.length];
    if (to === undefined) return;
    this.#connector = new Connector(this.#context, now, {
      to: [to],
      host,
      ack,
      params,
      done: (at, result) => this.#handleResult(at, to, result),
    });
  }

  #handleResult(now: Ms, to: Address, result: ConnectResult): void {
    this.#connector = undefined;
    if (result.type === "open") {
      this.session = result.session;
      this.#retryMs = RETRY_MS_FIRST;
      this.#busyAttempts = 0;
      this.#options.opened(now, result.session, result.accept);
      const rttMs = result.session.srttMs();
      this.#options.event({ type: "connected", to, rttMs });
      return;
    }
    const isBusy = result.code === CloseCode.streamBusy;
    const isFinal =
      FINAL.includes(result.code) || (isBusy && ++this.#busyAttempts >= BUSY_ATTEMPTS_MAX);
    const retryMs = Math.max(result.retryMs, this.#jitter(this.#retryMs));
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
    this.#retryAt = ms(now + retryMs);
    this.#edge++;
    this.isFinal = isFinal;
    const reason = closeName(result.code);
    const detail = `${addressKey(to)}: ${result.reason}`;
    this.#options.event({ type: "refused", reason, detail, retryMs, final: isFinal });
  }

  /** Spreads retries over ±25 %, so that viewers of a restarted edge do not come back all at once. */
  #jitter(delayMs: number): number {
    return delayMs * (0.75 + 0.5 * this.#context.random.next());
  }
}
