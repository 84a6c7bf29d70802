/**
 * Who gets into an edge, and why the others do not: the key of a publisher, one publisher a stream, viewers as far as
 * the limits and the egress go.
 */
import type { Ms } from "../../base/time.ts";
import type { Admission, Refusal } from "../../core/session/acceptor.ts";
import type { Session } from "../../core/session/session.ts";
import { type Address, addressKey } from "../../wire/address.ts";
import { CloseCode } from "../../wire/close-code.ts";
import { checkProof } from "../../wire/cookie.ts";
import { type ConnectPacket, MOVED_ADDRESSES_MAX } from "../../wire/handshake.ts";
import type { StreamInfo } from "../../wire/stream-info.ts";
import type { EdgeOptions } from "../api.ts";
import type { EgressCap } from "../edge-swarm/egress-cap.ts";
import type { NodeEnvironment } from "../node.ts";
import type { EdgeIngest } from "./edge-ingest.ts";
import type { EdgeIngests } from "./edge-ingests.ts";

const RETRY_BUSY_MS = 1000;
const RETRY_FULL_MS = 2000;
const RETRY_DRAIN_MS = 2000;
/** An edge in a row more than this does not send anybody on (docs/WIRE.md §5). */
const MOVED_MAX = 3;
/** Publishers that wait for word from the other edges. */
const WAITING_MAX = 256;

/** What admission needs of the edge it belongs to. */
export interface AdmissionHost {
  viewers(): number;
  accept(
    now: Ms,
    stream: StreamInfo | undefined,
    opened: (session: Session) => EdgeIngest,
  ): Admission;
  /** A viewer's session stands. */
  joined(now: Ms, ingest: EdgeIngest, session: Session, node: Uint8Array): void;
  /** A publisher's session gave way to a newer one. */
  replaced(session: Session): void;
  /** Answers a CONNECT that had to wait. */
  decide(now: Ms, from: Address, connect: ConnectPacket): void;
}

export class EdgeAdmission {
  readonly #env: NodeEnvironment;
  readonly #options: EdgeOptions;
  readonly #ingests: EdgeIngests;
  readonly #egress: EgressCap | undefined;
  readonly #host: AdmissionHost;
  readonly #waiting = new Map<string, { from: Address; connect: ConnectPacket }>();
  /** Nobody new from now on. */
  isDraining = false;

  constructor(
    env: NodeEnvironment,
    options: EdgeOptions,
    ingests: EdgeIngests,
    egress: EgressCap | undefined,
    host: AdmissionHost,
  ) {
    this.#env = env;
    this.#options = options;
    this.#ingests = ingests;
    this.#egress = egress;
    this.#host = host;
  }

  judge(now: Ms, from: Address, connect: ConnectPacket): Admission {
    const { role, stream } = connect.params;
    if (this.isDraining) {
      const text = "the edge is shutting down";
      return this.#sentOn(connect, true) ?? refusal(CloseCode.shuttingDown, text, RETRY_DRAIN_MS);
    }
    const key = this.#options.keyOf(stream);
    const isKnown = key !== undefined || this.#options.cluster?.knows(stream) === true;
    if (!isKnown) return refusal(CloseCode.unknownStream, `no stream "${stream}" here`, 0);
    if (role === "viewer") return this.#judgeViewer(now, connect);
    if (role !== "publisher") return refusal(CloseCode.badRequest, `role "${role}" not served`, 0);
    if (key === undefined) {
      return refusal(CloseCode.unknownStream, `"${stream}" may not be published here`, 0);
    }
    return this.#judgePublisher(now, from, connect, key);
  }

  /** To other edges, when there are any that should take the asker rather than this one. */
  #sentOn({ params }: ConnectPacket, isForced: boolean): Refusal | undefined {
    const { role, stream, moved = 0 } = params;
    if ((role !== "viewer" && role !== "publisher") || moved >= MOVED_MAX) return undefined;
    const other = this.#options.cluster?.redirect(role, stream, isForced);
    if (other === undefined || other.to.length === 0) return undefined;
    const to = other.to.slice(0, MOVED_ADDRESSES_MAX);
    return { refuse: CloseCode.moved, reason: other.why, retryMs: 0, to };
  }

  /** Word has come of a stream that publishers waited for. */
  settleClaim(now: Ms, stream: string): void {
    for (const [key, { from, connect }] of [...this.#waiting]) {
      if (connect.params.stream !== stream) continue;
      this.#waiting.delete(key);
      this.#host.decide(now, from, connect);
    }
  }

  #judgeViewer(now: Ms, connect: ConnectPacket): Admission {
    const { stream, node, consumes } = connect.params;
    const refused = this.#overloadFor(stream, consumes !== 1);
    const sentOn = this.#sentOn(connect, refused !== undefined) ?? refused;
    if (sentOn !== undefined) return sentOn;
    return this.#host.accept(
      now,
      this.#ingests.open(stream).outlet.describeFirst(now),
      (session) => {
        const ingest = this.#ingests.open(stream);
        this.#host.joined(now, ingest, session, node);
        return ingest;
      },
    );
  }

  #overloadFor(stream: string, isGiver: boolean): Refusal | undefined {
    if (this.#host.viewers() >= this.#options.maxViewers) {
      return refusal(CloseCode.overloaded, "the edge is full", RETRY_FULL_MS);
    }
    const limit = this.#options.maxViewersOf?.(stream);
    if (limit !== undefined && (this.#ingests.get(stream)?.outlet.receivers.size ?? 0) >= limit) {
      return refusal(CloseCode.overloaded, `"${stream}" has all the viewers it may`, RETRY_FULL_MS);
    }
    if (this.#isEgressShortFor(stream, isGiver)) {
      this.#ingests.open(stream).swarm.handleTurnedAway();
      const retryMs = RETRY_FULL_MS * (0.5 + this.#env.random.next());
      return refusal(CloseCode.overloaded, "the edge may not send more", Math.round(retryMs));
    }
    return undefined;
  }

  #judgePublisher(now: Ms, from: Address, connect: ConnectPacket, key: string): Admission {
    const { stream, proof, node } = connect.params;
    if (!checkProof(key, connect.cookie, connect.cid, stream, proof)) {
      return refusal(CloseCode.wrongKey, "the stream key is wrong", 0);
    }
    if (this.#ingests.isFullFor(stream)) {
      const text = "the edge has all the publishers it may";
      return this.#sentOn(connect, true) ?? refusal(CloseCode.overloaded, text, RETRY_FULL_MS);
    }
    const ingest = this.#ingests.open(stream);
    if (ingest.isHeldAgainst(now, node)) {
      const text = `"${stream}" is being published by ${ingest.publisherName}`;
      return refusal(CloseCode.streamBusy, text, RETRY_BUSY_MS);
    }
    const elsewhere = this.#claim(from, connect);
    if (elsewhere !== undefined) return elsewhere;
    return this.#host.accept(now, undefined, (session) => {
      const before = ingest.takeOver(now, session, node);
      if (before !== undefined) this.#host.replaced(before);
      return ingest;
    });
  }

  /** Whether another edge has the stream; undefined = none, it is ours. */
  #claim(from: Address, connect: ConnectPacket): Admission | undefined {
    const { stream, node, epoch = 0 } = connect.params;
    const claim = this.#options.cluster?.claim(stream, nodeText(node), epoch) ?? "mine";
    if (claim === "mine") return undefined;
    if (claim === "later") {
      const key = `${addressKey(from)} ${stream}`;
      if (this.#waiting.size < WAITING_MAX) this.#waiting.set(key, { from, connect });
      return { later: true };
    }
    const text = `"${stream}" is being published at ${claim.by}`;
    return refusal(CloseCode.streamBusy, text, RETRY_BUSY_MS);
  }

  /** Whether one more viewer would have the edge push more than its cap is planned for. */
  #isEgressShortFor(stream: string, isGiver: boolean): boolean {
    const egress = this.#egress;
    const ingest = this.#ingests.get(stream);
    if (egress === undefined || ingest === undefined) return false;
    const { joinBps } = ingest.swarm;
    return egress.isShortFor(
      joinBps,
      this.#ingests.sum(({ swarm }) => swarm.pushBps),
      isGiver,
    );
  }
}

/** A node's id in hex. */
export function nodeText(node: Uint8Array): string {
  return [...node].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function refusal(refuse: CloseCode, reason: string, retryMs: number): Refusal {
  return { refuse, reason, retryMs };
}
