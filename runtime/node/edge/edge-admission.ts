/**
 * Who gets into an edge, and why the others do not: the key of a publisher, one publisher a stream, viewers as far as
 * the limits and the egress go.
 */
import type { Ms } from "../../base/time.ts";
import type { Admission } from "../../core/session/acceptor.ts";
import type { Session } from "../../core/session/session.ts";
import type { Address } from "../../wire/address.ts";
import { CloseCode } from "../../wire/close-code.ts";
import { checkProof } from "../../wire/cookie.ts";
import type { ConnectPacket } from "../../wire/handshake.ts";
import type { StreamInfo } from "../../wire/stream-info.ts";
import type { EdgeOptions } from "../api.ts";
import type { EgressCap } from "../edge-swarm/egress-cap.ts";
import type { NodeEnvironment } from "../node.ts";
import type { EdgeIngest } from "./edge-ingest.ts";
import type { EdgeIngests } from "./edge-ingests.ts";

const RETRY_BUSY_MS = 1000;
const RETRY_FULL_MS = 2000;

/** What admission needs of the edge it belongs to. */
export interface AdmissionHost {
  viewers(): number;
  accept(stream: StreamInfo | undefined, opened: (session: Session) => EdgeIngest): Admission;
  /** A viewer's session stands. */
  joined(now: Ms, ingest: EdgeIngest, session: Session, node: Uint8Array): void;
  /** A publisher's session gave way to a newer one. */
  replaced(session: Session): void;
}

export class EdgeAdmission {
  readonly #env: NodeEnvironment;
  readonly #options: EdgeOptions;
  readonly #ingests: EdgeIngests;
  readonly #egress: EgressCap | undefined;
  readonly #host: AdmissionHost;
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

  judge(now: Ms, _from: Address, connect: ConnectPacket): Admission {
    const { role, stream, node } = connect.params;
    if (this.isDraining) return refusal(CloseCode.shuttingDown, "the edge is shutting down", 2000);
    const key = this.#options.keyOf(stream);
    if (key === undefined) return refusal(CloseCode.unknownStream, `no stream "${stream}" here`, 0);
    if (role === "publisher") return this.#judgePublisher(now, connect, key);
    if (role !== "viewer") return refusal(CloseCode.badRequest, `role "${role}" not served`, 0);
    return this.#judgeViewer(now, stream, node);
  }

  #judgeViewer(now: Ms, stream: string, node: Uint8Array): Admission {
    if (this.#host.viewers() >= this.#options.maxViewers) {
      return refusal(CloseCode.overloaded, "the edge is full", RETRY_FULL_MS);
    }
    const limit = this.#options.maxViewersOf?.(stream);
    if (limit !== undefined && (this.#ingests.get(stream)?.outlet.receivers.size ?? 0) >= limit) {
      return refusal(CloseCode.overloaded, `"${stream}" has all the viewers it may`, RETRY_FULL_MS);
    }
    if (this.#isEgressShortFor(stream)) {
      this.#ingests.open(stream).swarm.handleTurnedAway();
      const retryMs = RETRY_FULL_MS * (0.5 + this.#env.random.next());
      return refusal(CloseCode.overloaded, "the edge may not send more", Math.round(retryMs));
    }
    return this.#host.accept(this.#ingests.open(stream).outlet.describeFirst(now), (session) => {
      const ingest = this.#ingests.open(stream);
      this.#host.joined(now, ingest, session, node);
      return ingest;
    });
  }

  #judgePublisher(now: Ms, connect: ConnectPacket, key: string): Admission {
    const { stream, proof, node } = connect.params;
    if (!checkProof(key, connect.cookie, connect.cid, stream, proof)) {
      return refusal(CloseCode.wrongKey, "the stream key is wrong", 0);
    }
    if (this.#ingests.isFullFor(stream)) {
      const text = "the edge has all the publishers it may";
      return refusal(CloseCode.overloaded, text, RETRY_FULL_MS);
    }
    const ingest = this.#ingests.open(stream);
    if (ingest.isHeldAgainst(now, node)) {
      const text = `"${stream}" is being published by ${ingest.publisherName}`;
      return refusal(CloseCode.streamBusy, text, RETRY_BUSY_MS);
    }
    return this.#host.accept(undefined, (session) => {
      const before = ingest.takeOver(now, session, node);
      if (before !== undefined) this.#host.replaced(before);
      return ingest;
    });
  }

  /** Whether one more viewer would have the edge push more than its cap is planned for. */
  #isEgressShortFor(stream: string): boolean {
    const egress = this.#egress;
    const ingest = this.#ingests.get(stream);
    if (egress === undefined || ingest === undefined) return false;
    const { joinBps } = ingest.swarm;
    return egress.isShortFor(
      joinBps,
      this.#ingests.sum(({ swarm }) => swarm.pushBps),
    );
  }
}

function refusal(refuse: CloseCode, reason: string, retryMs: number): Admission {
  return { refuse, reason, retryMs };
}
