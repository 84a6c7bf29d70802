/**
 * The answering side of the handshake (docs/WIRE.md §5). Until a CONNECT comes back with a cookie we made for that very
 * address, nothing is remembered and nothing larger than what came is sent. After it, the role's `admit` decides.
 */
import type { Ms } from "../../base/time.ts";
import { type Address, addressKey } from "../../wire/address.ts";
import { CloseCode } from "../../wire/close-code.ts";
import { checkCookie, makeCookie } from "../../wire/cookie.ts";
import {
  type AcceptParams,
  type ConnectPacket,
  decodeConnect,
  decodeHello,
  encodeAccept,
  encodeCookie,
  encodeRefuse,
  encodeVersions,
  type RefusePacket,
  WIRE_VERSION,
} from "../../wire/handshake.ts";
import { PacketType } from "../../wire/packet.ts";
import { checkTicket } from "../../wire/swarm.ts";
import type { NodeContext } from "./node-context.ts";
import type { AckProfile, Session, SessionHost } from "./session.ts";

/** How a role answers a proven CONNECT. */
export type Admission =
  | {
      readonly accept: AcceptParams;
      readonly host: SessionHost;
      readonly ack: AckProfile;
      /** Called once, after ACCEPT is on its way. */
      readonly opened: (session: Session) => void;
    }
  | Refusal
  /** Not known yet: the CONNECT is to be brought again, by `decide` or by the initiator. */
  | { readonly later: true };

export interface Refusal {
  readonly refuse: CloseCode;
  readonly reason: string;
  readonly retryMs: number;
  /** With code `moved`: edges to ask instead. */
  readonly to?: readonly Address[];
}

export type Admit = (now: Ms, from: Address, connect: ConnectPacket) => Admission;

/** Recent ACCEPTs kept to answer a repeated CONNECT with the same words. */
const ACCEPTS_MAX = 4096;
const ACCEPT_KEEP_MS = 15_000;
/** Whoever found no memory may ask again after this. */
const RETRY_FULL_MS = 2000;

interface Accepted {
  readonly packet: Uint8Array;
  readonly at: Ms;
}

export class Acceptor {
  readonly #context: NodeContext;
  readonly #admit: Admit;
  readonly #secret = new Uint8Array(32);
  readonly #accepted = new Map<string, Accepted>();
  handshakesRefused = 0;
  /** A peer answers tickets only, an edge cookies only; the key comes from the edge (docs/WIRE.md §8). */
  ticketKey: Uint8Array | undefined;
  readonly #ticketsOnly: boolean;

  constructor(context: NodeContext, admit: Admit, options = { ticketsOnly: false }) {
    this.#ticketsOnly = options.ticketsOnly;
    this.#context = context;
    this.#admit = admit;
    context.random.fill(this.#secret);
  }

  /** Takes a datagram of an unconnected type. */
  handleDatagram(now: Ms, from: Address, data: Uint8Array): void {
    if (data[0] === PacketType.HELLO && !this.#ticketsOnly) this.#handleHello(now, from, data);
    else if (data[0] === PacketType.CONNECT) this.#handleConnect(now, from, data);
    else this.#context.datagramsRefused++;
  }

  #handleHello(now: Ms, from: Address, data: Uint8Array): void {
    const hello = decodeHello(data);
    if (hello === undefined) {
      this.#context.datagramsRefused++;
      return;
    }
    const reply = hello.versions.includes(WIRE_VERSION)
      ? encodeCookie({
          cid: hello.cid,
          version: WIRE_VERSION,
          cookie: makeCookie(this.#secret, now, from, hello.cid),
        })
      : encodeVersions({ cid: hello.cid, versions: [WIRE_VERSION] });
    if (reply.length <= data.length) this.#context.send(from, reply);
  }

  #handleConnect(now: Ms, from: Address, data: Uint8Array): void {
    const connect = decodeConnect(data);
    if (
      connect === undefined ||
      connect.version !== WIRE_VERSION ||
      !this.#isProven(now, from, connect)
    ) {
      this.#context.datagramsRefused++;
      return;
    }
    const key = `${addressKey(from)} ${connect.cid.hi} ${connect.cid.lo}`;
    const before = this.#accepted.get(key);
    if (before !== undefined) {
      this.#context.send(from, before.packet);
      return;
    }
    this.decide(now, from, connect);
  }

  /** Answers a CONNECT whose cookie was right: at once, or when what was not known `later` is. */
  decide(now: Ms, from: Address, connect: ConnectPacket): void {
    const key = `${addressKey(from)} ${connect.cid.hi} ${connect.cid.lo}`;
    const admission = this.#admit(now, from, connect);
    if ("later" in admission) return;
    if ("refuse" in admission) {
      const { refuse: code, reason, retryMs, to } = admission;
      this.#refuse(from, { cid: connect.cid, code, reason, retryMs, to });
      return;
    }
    const [hi, lo] = this.#context.newConnectionId();
    const { host, ack } = admission;
    const remote = { remoteHi: connect.cid.hi, remoteLo: connect.cid.lo };
    const ids = { localHi: hi, localLo: lo, ...remote };
    const session = this.#context.open(now, host, ids, from, ack);
    if (session === undefined) {
      const [code, reason] = [CloseCode.overloaded, "no memory for a session"];
      this.#refuse(from, { cid: connect.cid, code, reason, retryMs: RETRY_FULL_MS });
      return;
    }
    session.agent = connect.params.agent;
    const packet = encodeAccept({ cid: connect.cid, own: { hi, lo }, params: admission.accept });
    this.#remember(now, key, packet);
    this.#context.send(from, packet);
    admission.opened(session);
  }

  #refuse(to: Address, refusal: RefusePacket): void {
    this.handshakesRefused++;
    this.#context.send(to, encodeRefuse(refusal));
  }

  #isProven(now: Ms, from: Address, connect: ConnectPacket): boolean {
    const { cid, cookie, params } = connect;
    if (!this.#ticketsOnly) return checkCookie(this.#secret, now, from, cid, cookie);
    const key = this.ticketKey;
    return key !== undefined && checkTicket(key, params.node, from.ip, cookie);
  }

  #remember(now: Ms, key: string, packet: Uint8Array): void {
    for (const [old, entry] of this.#accepted) {
      if (this.#accepted.size < ACCEPTS_MAX && now - entry.at < ACCEPT_KEEP_MS) break;
      this.#accepted.delete(old);
    }
    this.#accepted.set(key, { packet, at: now });
  }
}
