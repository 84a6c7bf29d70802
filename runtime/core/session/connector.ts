/**
 * The asking side of the handshake (docs/WIRE.md §5): HELLO, the cookie back in a CONNECT, then a session or a
 * refusal. With a ticket of the edge's (§8) the CONNECT goes out at once. One attempt at one node, at all the
 * addresses it may have; whoever owns it decides whether and where to try again.
 */
import { type Ms, ms, NEVER } from "../../base/time.ts";
import type { Address } from "../../wire/address.ts";
import { CloseCode } from "../../wire/close-code.ts";
import {
  type AcceptPacket,
  type ConnectParams,
  decodeAccept,
  decodeCookie,
  decodeRefuse,
  decodeVersions,
  encodeConnect,
  encodeHello,
  WIRE_VERSION,
} from "../../wire/handshake.ts";
import { PacketType } from "../../wire/packet.ts";
import type { NodeContext } from "./node-context.ts";
import type { AckProfile, Session, SessionHost } from "./session.ts";
import { isSame } from "./session-path.ts";

const RETRY_MS_FIRST = 150;
/** After the cookie the round trip is known: CONNECT is repeated once it has passed by this factor and margin. */
const CONNECT_RTTS = 1.25;
const CONNECT_MARGIN_MS = 20;
const RETRY_MS_MAX = 2000;
const ATTEMPTS_MAX = 6;

export type ConnectResult =
  | { readonly type: "open"; readonly session: Session; readonly accept: AcceptPacket }
  | {
      readonly type: "refused";
      readonly code: CloseCode;
      readonly reason: string;
      readonly retryMs: number;
      /** With code `moved`: edges to ask instead. */
      readonly to?: readonly Address[] | undefined;
    };

export interface ConnectorOptions {
  /** Tried all at once; the first to answer is the one (with a cookie, the others hear no more). */
  readonly to: readonly Address[];
  /** In place of a cookie: no HELLO is needed. */
  readonly ticket?: Uint8Array | undefined;
  readonly attemptsMax?: number;
  /** A HELLO is repeated after this, doubling; 150 ms unless told. */
  readonly helloRetryMs?: number;
  readonly host: SessionHost;
  readonly ack: AckProfile;
  /** CONNECT parameters, given the cookie they may have to prove a key over. */
  readonly params: (cookie: Uint8Array, cid: { hi: number; lo: number }) => ConnectParams;
  readonly done: (now: Ms, result: ConnectResult) => void;
}

export class Connector {
  readonly #context: NodeContext;
  readonly #options: ConnectorOptions;
  readonly #cid: { readonly hi: number; readonly lo: number };
  #packet: Uint8Array;
  #to: readonly Address[];
  #attempts = 0;
  #retryMs: number;
  #retryAt: Ms;
  readonly #begunAt: Ms;
  #isDone = false;
  /** Whose cookie has come: from then on only that one is asked. */
  answeredBy: Address | undefined;

  constructor(context: NodeContext, now: Ms, options: ConnectorOptions) {
    this.#context = context;
    this.#options = options;
    const [hi, lo] = context.newConnectionId();
    this.#cid = { hi, lo };
    this.#to = options.to;
    const { ticket } = options;
    this.#packet =
      ticket === undefined
        ? encodeHello({ cid: this.#cid, versions: [WIRE_VERSION] })
        : this.#connectPacket(ticket);
    this.#retryMs = options.helloRetryMs ?? RETRY_MS_FIRST;
    this.#begunAt = now;
    this.#retryAt = now;
    this.handleTimeout(now);
  }

  nextTimeout(): Ms {
    return this.#isDone ? NEVER : this.#retryAt;
  }

  handleTimeout(now: Ms): void {
    if (this.#isDone || now < this.#retryAt) return;
    if (this.#attempts === (this.#options.attemptsMax ?? ATTEMPTS_MAX)) {
      this.#finish(now, {
        type: "refused",
        code: CloseCode.timeout,
        reason: "no answer",
        retryMs: RETRY_MS_FIRST,
      });
      return;
    }
    this.#attempts++;
    for (const to of this.#to) this.#context.send(to, this.#packet);
    this.#retryAt = ms(now + this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }

  cancel(): void {
    this.#isDone = true;
  }

  /** Takes a handshake packet; false when it is not this attempt's. */
  handleDatagram(now: Ms, from: Address, data: Uint8Array): boolean {
    if (this.#isDone) return false;
    switch (data[0]) {
      case PacketType.COOKIE:
        return this.#handleCookie(now, from, data);
      case PacketType.VERSIONS: {
        const versions = decodeVersions(data);
        if (versions === undefined || !this.#isMine(versions.cid)) return false;
        const reason = `the other side speaks wire versions ${versions.versions.join(", ")}`;
        this.#finish(now, { type: "refused", code: CloseCode.version, reason, retryMs: 0 });
        return true;
      }
      case PacketType.REFUSE: {
        const refuse = decodeRefuse(data);
        if (refuse === undefined || !this.#isMine(refuse.cid)) return false;
        const { code, reason, retryMs, to } = refuse;
        this.#finish(now, { type: "refused", code, reason, retryMs, to });
        return true;
      }
      case PacketType.ACCEPT:
        return this.#handleAccept(now, from, data);
      default:
        return false;
    }
  }

  #handleCookie(now: Ms, from: Address, data: Uint8Array): boolean {
    const cookie = decodeCookie(data);
    if (cookie === undefined || !this.#isMine(cookie.cid)) return false;
    if (cookie.version !== WIRE_VERSION) return false;
    if (this.answeredBy !== undefined && !isSame(this.answeredBy, from)) return true;
    this.answeredBy = from;
    this.#to = [from];
    this.#packet = this.#connectPacket(cookie.cookie);
    const afterMs = (now - this.#begunAt) * CONNECT_RTTS + CONNECT_MARGIN_MS;
    this.#retryMs = Math.min(RETRY_MS_FIRST, afterMs);
    this.#attempts = 0;
    this.#retryAt = now;
    this.handleTimeout(now);
    return true;
  }

  #connectPacket(cookie: Uint8Array): Uint8Array {
    const cid = this.#cid;
    const params = this.#options.params(cookie, cid);
    return encodeConnect({ cid, version: WIRE_VERSION, cookie, params });
  }

  #handleAccept(now: Ms, from: Address, data: Uint8Array): boolean {
    const accept = decodeAccept(data);
    if (accept === undefined || !this.#isMine(accept.cid)) return false;
    const { hi, lo } = this.#cid;
    const ids = {
      localHi: hi,
      localLo: lo,
      remoteHi: accept.own.hi,
      remoteLo: accept.own.lo,
    };
    const { host, ack } = this.#options;
    const session = this.#context.open(now, host, ids, from, ack);
    if (session === undefined) {
      const [code, reason] = [CloseCode.overloaded, "no memory for a session here"];
      this.#finish(now, { type: "refused", code, reason, retryMs: RETRY_MS_MAX });
      return true;
    }
    session.agent = accept.params.agent;
    /* Said once, so that it is known which CONNECT was answered. */
    const { ticket } = this.#options;
    if (ticket !== undefined && this.#attempts === 1) session.handleRoundTrip(now, this.#begunAt);
    this.#finish(now, { type: "open", session, accept });
    return true;
  }

  #isMine(cid: { readonly hi: number; readonly lo: number }): boolean {
    return cid.hi === this.#cid.hi && cid.lo === this.#cid.lo;
  }

  #finish(now: Ms, result: ConnectResult): void {
    this.#isDone = true;
    this.#options.done(now, result);
  }
}
