/**
 * The peer among peers (docs/SWARM.md): it accepts those whom the edge has sent, connects to those the edge has
 * named, is fed by parents, feeds children what it was recruited for, tells neighbours what it has, and pulls what it
 * lacks.
 */
import { bitCount } from "../../base/bits.ts";
import { ProtocolViolation } from "../../base/errors.ts";
import { type Ms, ms, NEVER } from "../../base/time.ts";
import { Acceptor, type Admission } from "../../core/session/acceptor.ts";
import type { NodeContext } from "../../core/session/node-context.ts";
import { ACK_PEER, type Session, type SessionHost } from "../../core/session/session.ts";
import { createScorer } from "../../score/scorer.ts";
import type { Address } from "../../wire/address.ts";
import { CloseCode } from "../../wire/close-code.ts";
import type { ControlMessage } from "../../wire/control.ts";
import type { AnswerPacket, FeedbackEntry, RequestPacket } from "../../wire/feedback.ts";
import type { ConnectPacket } from "../../wire/handshake.ts";
import type { FragmentHeader } from "../../wire/packet.ts";
import { FLAG_RESENT, flagPhase, Phase } from "../../wire/segment.ts";
import type { StreamInfo } from "../../wire/stream-info.ts";
import { encodePunch, type MapPacket, type PeerRef } from "../../wire/swarm.ts";
import type { PeerOptions } from "../api.ts";
import { Outlet, type Subscription } from "../edge/outlet.ts";
import { nodeKey } from "../edge-swarm/member.ts";
import { SWARM_PARAMS, type SwarmParams } from "../swarm-params.ts";
import { Dialer } from "./dialer.ts";
import { type Neighbour, type NeighbourRole, Neighbours } from "./neighbours.ts";
import { Parents } from "./parents.ts";
import { PeerTelling } from "./peer-telling.ts";
import type { Playback } from "./playback.ts";
import { Puller } from "./puller.ts";
import { pushCount } from "./receiver.ts";
import { UploadGate } from "./upload-gate.ts";

/** CONNECTs to neighbours under way at once. */
const DIALS_MAX = 6;
/** What the start burst is about to bring is not asked for. */
const START_GRACE_MS = 400;
/** For so long a session's pushes are acknowledged quickly: its sender may just be taking on children. */
const NEW_PARENT_MS = 5000;

export class PeerSwarm implements SessionHost {
  readonly #context: NodeContext;
  readonly #options: PeerOptions;
  readonly #node: Uint8Array;
  readonly params: SwarmParams;
  readonly acceptor: Acceptor;
  readonly neighbours: Neighbours;
  readonly puller: Puller;
  readonly parents: Parents;
  /** What is sent on: children their sub-streams, plain neighbours nothing unless they ask. */
  readonly outlet: Outlet;
  readonly #dialer: Dialer;
  #playback: Playback | undefined;
  #edge: Session | undefined;
  #carried = 0;
  #childrenMax = 0;
  #begunAt: Ms = NEVER;
  readonly #telling: PeerTelling;
  readonly #gate: UploadGate;
  #isWelcome = false;
  /** Media that came in fresh. */
  bytesFromEdge = 0;
  bytesFromPeers = 0;

  constructor(context: NodeContext, options: PeerOptions, node: Uint8Array) {
    this.#context = context;
    this.#options = options;
    this.#node = node;
    this.params = options.swarm ?? SWARM_PARAMS;
    this.acceptor = new Acceptor(context, (now, _from, connect) => this.#admit(now, connect), {
      ticketsOnly: true,
    });
    const { scorer = "mlp" } = options;
    const chooser = typeof scorer === "string" ? createScorer(scorer, context.random) : scorer;
    this.#dialer = new Dialer(context, this);
    this.neighbours = new Neighbours(this.params, context.random, chooser);
    this.puller = new Puller(this.params, context.random, this.neighbours);
    this.outlet = new Outlet(context.hot, options.stream);
    this.outlet.tellsClock = false;
    this.parents = new Parents(this.params, {
      neighbour: (key) => this.neighbours.withNode(key),
      connect: (now, ref, mask, from) => this.#connect(now, ref, { mask, from }),
      firstMissing: (k) => this.#playback?.firstMissing(k, this.params.subStreams) ?? 0,
      releaseEdge: (now, mask) => this.#edge?.sendControl(now, { t: "release", mask }),
      orphan: (now, mask, lost, from) =>
        this.#edge?.sendControl(now, { t: "orphan", mask, node: lost, from }),
      subscribeParent: (now, session, mask, from) => this.#subscribe(now, session, mask, from),
    });
    this.#telling = new PeerTelling(context, options, this);
    this.#gate = new UploadGate(context.uplink, this.outlet.meter, this.params.uploadShareMax);
  }

  /** Holds slots: the edge has recruited it. */
  get isSuperNode(): boolean {
    return this.#carried !== 0;
  }

  /** Peers pushed to at present. */
  get childCount(): number {
    let count = 0;
    for (const receiver of this.outlet.receivers.values()) if (receiver.mask !== 0) count++;
    return count;
  }

  /* ---------------------------------------------------------------- the peer's life */

  /** A run of the encoder is being played: neighbours hear of it, children are fed from it. */
  begin(now: Ms, playback: Playback): void {
    this.#playback = playback;
    this.#begunAt = now;
    this.puller.clear();
    this.parents.reset(now);
    this.outlet.begin(now, playback.intake.asSource());
  }

  end(now: Ms, playback: Playback): void {
    if (this.#playback !== playback) return;
    this.#playback = undefined;
    this.outlet.end(now);
    this.puller.clear();
  }

  handleEdge(now: Ms, session: Session | undefined): void {
    this.#edge = session;
    this.#isWelcome = false;
    this.#telling.handleEdge(now, session);
  }

  /** What the edge says of the swarm; false for anything else. */
  handleEdgeControl(now: Ms, message: ControlMessage): boolean {
    switch (message.t) {
      case "welcome":
        if (message.k !== this.params.subStreams) {
          throw new ProtocolViolation("unexpected", `${message.k} sub-streams`);
        }
        this.acceptor.ticketKey = message.key;
        this.neighbours.ownRegion = message.region;
        this.#isWelcome = true;
        this.neighbours.handleWelcome(now);
        if (this.#options.ownAddresses !== undefined && this.#options.ownAddresses.length > 0) {
          this.#edge?.sendControl(now, { t: "here", at: this.#options.ownAddresses.slice(0, 3) });
        }
        return true;
      case "parents":
        this.parents.handleParents(now, message.list);
        return true;
      case "peers":
        this.neighbours.addCandidates(message.list);
        return true;
      case "expect":
        for (const { addresses } of message.list) {
          for (const to of addresses) this.#context.outbox.send(to, encodePunch(this.#node));
        }
        return true;
      case "recruit":
        this.#carried = message.mask;
        this.#childrenMax = message.children;
        return true;
      default:
        return false;
    }
  }

  /** A fragment came in fresh, from anybody: children get it at once. */
  handleFresh(
    now: Ms,
    playback: Playback,
    header: FragmentHeader,
    bytes: number,
    from: Session,
  ): void {
    if (from === this.#edge) this.bytesFromEdge += bytes;
    else this.bytesFromPeers += bytes;
    if (playback !== this.#playback) return;
    this.puller.handleFresh(now, header.number, from);
    const isPushed = flagPhase(header.flags) === Phase.push && (header.flags & FLAG_RESENT) === 0;
    const ageMs = playback.intake.index.ageOf(header.number, now);
    const isLate = this.parents.handleFresh(now, header.number, ageMs, isPushed);
    /* A parent learns what its uplink bears from our ACKs: while it is new to us, and when a queue seems to grow. */
    if (from !== this.#edge && (isLate || now - from.since < NEW_PARENT_MS)) from.hastenAck(now);
    const { number, index, total, flags } = header;
    this.outlet.fanOut(now, number, index, total, flags, bytes);
  }

  /* ---------------------------------------------------------------- time */

  nextTimeout(): Ms {
    const next = Math.min(this.neighbours.wantAt, this.#telling.reportAt);
    return ms(Math.min(next, this.#dialer.nextTimeout()));
  }

  handleTimeout(now: Ms): void {
    this.#dialer.handleTimeout(now);
    if (now >= this.#telling.reportAt) this.#telling.report(now, this.#isWelcome);
    if (now >= this.neighbours.wantAt) {
      const count = this.neighbours.toWant(now);
      if (count > 0) this.#edge?.sendControl(now, { t: "want", count });
    }
  }

  /** Called with the peer's ticks while it plays. */
  tick(now: Ms): void {
    const playback = this.#playback;
    if (this.isSuperNode) this.#telling.noteBacklog(now);
    this.parents.tick(now);
    this.#connectCandidates(now);
    for (const neighbour of this.neighbours.toReplace(now, (each) => this.#isBound(each))) {
      neighbour.session.close(now, CloseCode.notWanted, "");
      this.#forget(now, neighbour.session);
    }
    if (playback === undefined) return;
    if (now - this.#begunAt >= START_GRACE_MS) {
      this.puller.ask(now, playback, this.parents, this.#edge);
    }
    this.#telling.gossip(now, playback);
    this.#telling.feedParents(now, playback);
  }

  /* ---------------------------------------------------------------- connecting */

  #connectCandidates(now: Ms): void {
    while (!this.neighbours.isFull && this.#dialer.size < DIALS_MAX) {
      const ref = this.neighbours.takeCandidate();
      if (ref === undefined) return;
      this.#connect(now, ref, undefined);
    }
  }

  #connect(now: Ms, ref: PeerRef, child: { mask: number; from: number } | undefined): void {
    const key = nodeKey(ref.node);
    if (this.neighbours.withNode(key) !== undefined) return;
    const { stream, agent } = this.#options;
    const wants = child === undefined ? {} : { ...child, k: this.params.subStreams };
    const params = { role: "peer", stream, agent, node: this.#node, ...wants } as const;
    this.#dialer.dial(now, ref, params, (at, result) => {
      if (result.type === "open") {
        this.#opened(at, result.session, ref, child?.mask ?? 0);
        const { stream: info } = result.accept.params;
        if (info !== undefined) this.#bind(result.session, info);
      } else this.parents.handleLost(at, key);
    });
  }

  #opened(now: Ms, session: Session, ref: PeerRef, asked: number): void {
    const key = nodeKey(ref.node);
    const role = asked === 0 ? "mesh" : "parent";
    this.#enter(now, session, ref.node, ref.region, role);
    if (role === "mesh") this.outlet.add(now, session, this.#nothing);
    this.parents.handleConnected(now, key, session, asked);
    this.#closeIdle(now, session);
  }

  /** Handshake packets of ours and of others. */
  handleDatagram(now: Ms, from: Address, data: Uint8Array): void {
    if (this.#dialer.handleDatagram(now, from, data)) return;
    this.acceptor.handleDatagram(now, from, data);
  }

  #admit(now: Ms, connect: ConnectPacket): Admission {
    const { params } = connect;
    if (params.role !== "peer" || params.stream !== this.#options.stream) {
      return { refuse: CloseCode.badRequest, reason: "not this stream", retryMs: 0 };
    }
    const mask = params.mask ?? 0;
    const isChild = mask !== 0;
    if (isChild && (mask & ~this.#carried) !== 0) {
      return { refuse: CloseCode.notWanted, reason: "not carried here", retryMs: 500 };
    }
    if (isChild ? !this.#hasRoomFor(mask) : this.neighbours.isFull) {
      return { refuse: CloseCode.overloaded, reason: "no room", retryMs: 1000 };
    }
    const wanted = isChild ? { ...this.#nothing, mask, from: params.from } : this.#nothing;
    return {
      accept: {
        agent: this.#options.agent,
        node: this.#node,
        stream: this.outlet.describeFirst(now),
      },
      host: this,
      ack: ACK_PEER,
      opened: (session) => {
        this.#enter(now, session, params.node, 0, isChild ? "child" : "mesh");
        this.outlet.add(now, session, wanted, true);
      },
    };
  }

  #hasRoomFor(mask: number): boolean {
    const total = this.#childrenMax * bitCount(this.#carried);
    return pushCount(this.outlet.receivers.values()) + bitCount(mask) <= total;
  }

  /** A session to a peer stands. Of two to the same node the older goes: both sides saw the newer one last. */
  #enter(now: Ms, session: Session, node: Uint8Array, region: number, role: NeighbourRole): void {
    const before = this.neighbours.withNode(nodeKey(node));
    if (before !== undefined) {
      before.session.close(now, CloseCode.done, "another session stands");
      this.#forget(now, before.session, true);
    }
    this.neighbours.add(now, session, node, region, role);
  }

  /** Nothing pushed: what a plain neighbour is subscribed to. */
  get #nothing(): Subscription {
    return { mask: 0, k: this.params.subStreams };
  }

  #isBound(neighbour: Neighbour): boolean {
    if (this.parents.isParent(neighbour.key)) return true;
    return (this.outlet.receivers.get(neighbour.session)?.mask ?? 0) !== 0;
  }

  /** A session over which nothing is pushed any more, nor maps exchanged, only costs keepalives. */
  #closeIdle(now: Ms, session: Session): void {
    const neighbour = this.neighbours.of(session);
    if (neighbour === undefined || neighbour.role === "mesh" || this.#isBound(neighbour)) return;
    session.close(now, CloseCode.done, "");
    this.#forget(now, session);
  }

  #forget(now: Ms, session: Session, isReplaced = false): void {
    const neighbour = this.neighbours.remove(session);
    this.outlet.remove(session);
    if (neighbour === undefined) return;
    this.puller.handleGone(neighbour);
    if (!isReplaced) this.parents.handleLost(now, neighbour.key);
  }

  #subscribe(now: Ms, session: Session | undefined, mask: number, from: number | undefined): void {
    const k = this.params.subStreams;
    session?.sendControl(now, { t: "subscribe", name: this.#options.stream, mask, k, from });
    if (session !== undefined && mask === 0) this.#closeIdle(now, session);
  }

  /* ---------------------------------------------------------------- session host */

  handleControl(now: Ms, session: Session, message: ControlMessage): void {
    const neighbour = this.neighbours.of(session);
    if (neighbour === undefined) return;
    if (message.t === "stream") this.#bind(session, message);
    else if (message.t === "ended") {
      session.sinks.delete(message.index);
      if (neighbour.index === message.index) neighbour.index = 0;
    } else if (message.t === "subscribe") {
      const mask = (message.mask & this.#carried) >>> 0;
      const wanted = { mask, k: message.k, from: message.from };
      if (this.outlet.receivers.has(session)) this.outlet.subscribe(now, session, wanted);
      else this.outlet.add(now, session, wanted);
      if (mask === 0) this.#closeIdle(now, session);
    }
  }

  /** A neighbour sends the run we play under this index. */
  #bind(session: Session, info: StreamInfo): void {
    const playback = this.#playback;
    const neighbour = this.neighbours.of(session);
    if (playback === undefined || info.epoch !== playback.intake.stream.epoch) return;
    if (neighbour !== undefined) neighbour.index = info.index;
    session.sinks.set(info.index, playback.intake);
  }

  handleFeedback(now: Ms, session: Session, entry: FeedbackEntry): void {
    this.outlet.handleFeedback(now, session, entry);
  }

  handleClock(): void {}

  handleRequest(now: Ms, session: Session, request: RequestPacket): void {
    const receiver = this.outlet.receivers.get(session);
    if (receiver !== undefined && this.#options.uploadBytesPerSecondMax > 0) {
      this.outlet.answer(now, receiver, request, this.#gate);
    }
  }

  handleAnswer(now: Ms, _session: Session, answer: AnswerPacket): void {
    if (this.#playback !== undefined) {
      this.puller.handleAnswer(now, answer, this.#playback.buffer, false);
    }
  }

  handleMap(now: Ms, session: Session, map: MapPacket): void {
    this.neighbours.of(session)?.handleMap(now, map);
  }

  handleReport(): void {}

  handleClosed(now: Ms, session: Session): void {
    this.#forget(now, session);
  }

  close(now: Ms): void {
    this.#dialer.close();
    for (const { session } of [...this.neighbours.list]) session.close(now, CloseCode.done, "");
    this.outlet.end(now);
  }
}
