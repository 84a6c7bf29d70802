/**
 * A stream's way into an edge: who publishes it (a session, or an encoder in this process), which run of the encoder
 * is current, and the whole frames handed to local watchers (HTTP-FLV). A publisher that lost its session resumes its
 * run; one that started anew begins another; a second one is refused while the first is alive.
 */
import { ProtocolViolation } from "../../base/errors.ts";
import type { Ms } from "../../base/time.ts";
import type { SegmentIndexOptions } from "../../core/segments/segment-index.ts";
import type { Session } from "../../core/session/session.ts";
import { addressKey } from "../../wire/address.ts";
import { CloseCode, closeName } from "../../wire/close-code.ts";
import type { ControlMessage } from "../../wire/control.ts";
import type { ClockEntry, FeedbackEntry, RequestPacket } from "../../wire/feedback.ts";
import type { MediaFrame } from "../../wire/frame.ts";
import type { FragmentHeader } from "../../wire/packet.ts";
import type { ReportPacket } from "../../wire/swarm.ts";
import type { EdgeEvent, EdgeStreamStats, LocalPublisher } from "../api.ts";
import { Compensation } from "../edge-swarm/compensation.ts";
import { EdgeSwarm } from "../edge-swarm/edge-swarm.ts";
import { EdgeSwarmFigures } from "../edge-swarm/edge-swarm-figures.ts";
import { groupFrames } from "../frame-reader.ts";
import { Intake, type IntakeListener, type StreamIdentity } from "../intake.ts";
import type { NodeEnvironment } from "../node.ts";
import { OwnStream } from "../peer/own-stream.ts";
import { FrontierRate, RateMeter } from "../rate-meter.ts";
import { streamIdOf } from "../stream-id.ts";
import type { SwarmParams } from "../swarm-params.ts";
import { type SpendingCap, spend } from "./edge-spending.ts";
import { EdgeWatch, groupMs, keptBytes } from "./edge-watch.ts";
import type { Outlet } from "./outlet.ts";
import { isHeldAgainst, type Publisher, remotePublisher, sameBytes } from "./publisher-seat.ts";

/** A publisher may come back to its run for this long before viewers are told it is over. */
const RESUME_MS = 10_000;
/** Groups longer than this make joining slow: the publisher is told. */
const GROUP_WARN_MS = 4000;

/** The last frames of a run have this long to reach the viewers: the longest play-out delay, and a little. */
const ENDING_MS = 2000;

export class EdgeIngest implements IntakeListener {
  readonly outlet: Outlet;
  readonly swarm: EdgeSwarm;
  readonly #figures: EdgeSwarmFigures;
  readonly compensation: Compensation;
  readonly #params: SwarmParams;
  readonly #env: NodeEnvironment;
  readonly #retention: SegmentIndexOptions;
  readonly #emit: (event: EdgeEvent) => void;
  #publisher: Publisher | undefined;
  #lastNode: Uint8Array | undefined;
  #lostAt: Ms | undefined;
  #lastEpoch: number;
  readonly #watch: EdgeWatch;
  readonly #meter = new RateMeter();
  #warnedGroup = false;
  readonly #fragments = new FrontierRate();

  constructor(
    env: NodeEnvironment,
    outlet: Outlet,
    retention: SegmentIndexOptions,
    params: SwarmParams,
    emit: (event: EdgeEvent) => void,
  ) {
    this.#env = env;
    this.outlet = outlet;
    this.swarm = new EdgeSwarm(this.outlet, env.random, params);
    this.compensation = new Compensation(params, env.random, {
      feederOf: (child, number) => this.swarm.feederOf(child, number),
      pushAgain: (now, feeder, number) => this.outlet.pushAgain(now, feeder, number),
    });
    this.#params = params;
    this.#figures = new EdgeSwarmFigures(this.swarm, this.outlet, emit);
    this.#retention = retention;
    this.#emit = emit;
    this.#lastEpoch = env.bootEpoch;
    this.#watch = new EdgeWatch(emit);
  }

  /** Published here. */
  get isLive(): boolean {
    return this.#publisher !== undefined && this.#publisher.isRemote !== true;
  }

  get isUnused(): boolean {
    return (
      this.#publisher === undefined &&
      this.outlet.source === undefined &&
      !this.outlet.isEnding &&
      this.outlet.receivers.size === 0 &&
      this.#watch.count === 0
    );
  }

  /** Published here, or its publisher may come back to its run. */
  get isHeld(): boolean {
    return this.isLive || (this.#lostAt !== undefined && this.#lastNode !== undefined);
  }

  /** Somebody here waits for what nobody publishes here: so many. */
  get unserved(): number {
    if (this.isLive) return 0;
    return this.outlet.receivers.size + this.#watch.count;
  }

  get publisherName(): string {
    return this.#publisher?.name ?? "nobody";
  }

  /* ---------------------------------------------------------------- publishers */

  /** Whether a live publisher keeps `node` (its own id; undefined = an encoder in this process) from publishing. */
  isHeldAgainst(now: Ms, node: Uint8Array | undefined): boolean {
    return this.#publisher !== undefined && isHeldAgainst(now, this.#publisher, node);
  }

  /** A proven publisher's session; returns the session it takes the stream from, which is closed. */
  takeOver(now: Ms, session: Session, node: Uint8Array): Session | undefined {
    const before = this.#publisher?.session;
    if (before !== undefined)
      before.close(now, CloseCode.streamBusy, "taken over by a newer session");
    const isSame = this.#lastNode !== undefined && sameBytes(this.#lastNode, node);
    /* A run that came from another edge may go on with its publisher here. */
    const isRemote = this.#publisher?.isRemote === true || this.#lastNode === undefined;
    if (!isSame && !isRemote) this.#end(now, CloseCode.done);
    this.#lastNode = node;
    this.#lostAt = undefined;
    this.#publisher = { session, name: addressKey(session.address), since: now, node };
    return before;
  }

  publishLocal(now: Ms, from: string): LocalPublisher {
    this.#end(now, CloseCode.done);
    this.#lastNode = undefined;
    /* In seconds of its start: an encoder that goes on to another edge begins a later run there, too. */
    const atNow = this.#env.bootEpoch + Math.floor(now / 1000);
    this.#lastEpoch = Math.max(this.#lastEpoch + 1, atNow) >>> 0;
    const { name } = this.outlet;
    const identity = { name, id: streamIdOf(name), epoch: this.#lastEpoch };
    const own = new OwnStream(this.#env.hot, identity, this.#retention);
    own.clock.setLocal(now);
    this.#publisher = { session: undefined, name: from, since: now, node: undefined };
    this.#begin(now, own);
    return {
      push: (at, frame) => this.#pushLocal(at, own, frame),
      end: (at) => {
        if (this.outlet.source !== own) return;
        this.#publisher = undefined;
        this.#end(at, CloseCode.done);
      },
    };
  }

  #pushLocal(now: Ms, own: OwnStream, frame: MediaFrame): void {
    if (this.outlet.source !== own) return; /* taken away by the operator */
    for (const segment of own.push(now, frame)) {
      this.#countFrame(now, segment.first);
      for (let i = 0; i < segment.total; i++) {
        const bytes = i === segment.total - 1 ? segment.lastBytes : segment.fragmentBytes;
        const number = (segment.first + i) >>> 0;
        this.#meter.count(now, bytes);
        this.outlet.bytesIn += bytes;
        this.outlet.fanOut(now, number, i, segment.total, segment.flags, bytes);
      }
    }
    this.#watch.read(now);
  }

  /** A run that another edge sends; undefined while somebody publishes here. */
  takeRemote(now: Ms, stream: StreamIdentity, from: string): Intake | undefined {
    const { source } = this.outlet;
    if (this.isLive) return undefined;
    this.#publisher = remotePublisher(from, now);
    this.#lastNode = undefined;
    this.#lostAt = undefined;
    if (source instanceof Intake && source.stream.epoch === stream.epoch) return source;
    this.#end(now, CloseCode.done);
    const intake = new Intake(this.#env.hot, stream, this.#retention, this);
    this.#begin(now, intake);
    return intake;
  }

  /** The other edge sends no more of it: the run is over, or may go on from elsewhere. */
  leaveRemote(now: Ms, isOver: boolean): void {
    if (this.#publisher?.isRemote !== true) return;
    this.#publisher = undefined;
    if (isOver) this.#end(now, CloseCode.done);
    else this.#lostAt = now;
  }

  /** The publisher's session is gone: unless it said it was done, it may come back to its run for a while. */
  publisherLeft(now: Ms, session: Session, code: CloseCode): void {
    if (this.#publisher?.session !== session) return;
    this.#publisher = undefined;
    if (code === CloseCode.done) this.#end(now, code);
    else this.#lostAt = now;
  }

  /** Gives the publisher that was removed, if there was one. */
  kickPublisher(now: Ms): Publisher | undefined {
    const publisher = this.#publisher;
    if (publisher === undefined || publisher.isRemote) return undefined;
    this.#publisher = undefined;
    publisher.session?.close(now, CloseCode.notWanted, "removed by the operator");
    this.#end(now, CloseCode.notWanted);
    return publisher;
  }

  /** Another edge has the stream: its publisher has moved there with its run, or somebody else was first. */
  yieldPublisher(now: Ms, how: "moved" | "lost", detail: string): Publisher | undefined {
    const publisher = this.#publisher;
    if (publisher === undefined || publisher.isRemote) return undefined;
    this.#publisher = undefined;
    const code = how === "moved" ? CloseCode.moved : CloseCode.streamBusy;
    publisher.session?.close(now, code, detail);
    if (how === "moved") this.#lostAt = now;
    else this.#end(now, code);
    return publisher;
  }

  close(now: Ms): void {
    this.#publisher = undefined;
    this.#end(now, CloseCode.shuttingDown);
  }

  #begin(now: Ms, source: Intake | OwnStream): void {
    this.outlet.begin(now, source);
    this.#watch.begin(source);
    this.#warnedGroup = false;
    const { name: stream, epoch } = source.stream;
    this.#emit({ type: "streamStarted", stream, epoch, from: this.publisherName });
  }

  #end(now: Ms, code: CloseCode): void {
    const source = this.outlet.source;
    this.#lostAt = undefined;
    if (source === undefined) return;
    this.#watch.read(now);
    this.outlet.end(now, code === CloseCode.shuttingDown ? 0 : ENDING_MS);
    this.#watch.end();
    const { name: stream, epoch } = source.stream;
    this.#emit({ type: "streamEnded", stream, epoch, reason: closeName(code) });
  }

  /* ---------------------------------------------------------------- from sessions */

  handleControl(now: Ms, session: Session, message: ControlMessage): void {
    if (message.t === "stream") this.#handleStream(now, session, message);
    else if (message.t === "ended" && session === this.#publisher?.session) {
      if (session.sinks.delete(message.index)) this.#end(now, CloseCode.done);
    } else if (message.t === "subscribe") this.outlet.subscribe(now, session, message);
    else if (message.t === "release") {
      this.outlet.release(session, message.mask);
      this.swarm.handleRelease(session, message.mask);
    } else if (message.t === "orphan") {
      this.outlet.push(now, session, message.mask, message.from);
      this.swarm.handleOrphan(now, session, message.mask, message.node);
    } else if (message.t === "here") this.swarm.setOwnAddresses(session, message.at);
    else if (message.t === "want") this.swarm.handleWantPeers(now, session, message.count);
  }

  #handleStream(now: Ms, session: Session, message: ControlMessage & { t: "stream" }): void {
    if (session !== this.#publisher?.session || message.name !== this.outlet.name) {
      throw new ProtocolViolation("unexpected", `stream "${message.name}" on this session`);
    }
    const source = this.outlet.source;
    const isResumed = source instanceof Intake && source.stream.epoch === message.epoch;
    session.sinks.clear();
    if (isResumed) {
      session.sinks.set(message.index, source);
      return;
    }
    const { name, id, epoch } = message;
    const intake = new Intake(this.#env.hot, { name, id, epoch }, this.#retention, this);
    this.#end(now, CloseCode.done);
    session.sinks.set(message.index, intake);
    this.#begin(now, intake);
  }

  handleFeedback(now: Ms, session: Session, entry: FeedbackEntry): void {
    this.outlet.handleFeedback(now, session, entry);
  }

  handleClock(now: Ms, session: Session, entry: ClockEntry): void {
    const sink = session.sinks.get(entry.stream);
    if (!(sink instanceof Intake) || sink !== this.outlet.source) return;
    const isFirst = !sink.clock.ready;
    sink.clock.told(now, entry.captureOffsetMs, entry.uncertaintyMs, session.clock);
    if (isFirst && sink.clock.ready) this.outlet.sendClocks(now);
  }

  handleReport(now: Ms, session: Session, report: ReportPacket): void {
    this.swarm.handleReport(now, session, report);
  }

  handleRequest(now: Ms, session: Session, request: RequestPacket): void {
    const viewer = this.outlet.receivers.get(session);
    if (viewer !== undefined) this.outlet.answer(now, viewer, request, this.compensation);
  }

  handleFresh(now: Ms, intake: Intake, header: FragmentHeader, bytes: number): void {
    if (intake !== this.outlet.source) return;
    this.#meter.count(now, bytes);
    this.outlet.bytesIn += bytes;
    const { number, index, total, flags } = header;
    this.outlet.fanOut(now, number, index, total, flags, bytes);
  }

  handleWhole(now: Ms, intake: Intake, first: number): void {
    if (intake !== this.outlet.source) return;
    this.#countFrame(now, first);
    this.#watch.read(now);
  }

  #countFrame(now: Ms, first: number): void {
    const { source, tap } = this.outlet;
    this.outlet.framesIn++;
    tap?.whole(first);
    if (this.#warnedGroup || source === undefined) return;
    const session = this.#publisher?.session;
    if (groupMs(source.index, now) <= GROUP_WARN_MS) return;
    this.#warnedGroup = true;
    const text = `key frames are over ${GROUP_WARN_MS / 1000} s apart: viewers join slowly`;
    session?.sendControl(now, { t: "warn", code: "long-group", text });
  }

  /* ---------------------------------------------------------------- watchers */

  /** `frame` events are made while HTTP-FLV readers or the like are there. */
  watch(on: boolean): void {
    this.#watch.count = Math.max(0, this.#watch.count + (on ? 1 : -1));
  }

  currentGroup(): readonly MediaFrame[] {
    const index = this.outlet.source?.index;
    return index === undefined ? [] : groupFrames(index);
  }

  /* ---------------------------------------------------------------- housekeeping */

  /** bit/s that all viewers want together. */
  get demandBps(): number {
    return this.outlet.bitrateBps * this.outlet.receivers.size;
  }

  /** `cap`: what the edge may send, and what the viewers of all its streams want, bit/s. */
  tick(now: Ms, everyMs: number, cap?: SpendingCap): void {
    this.outlet.tick(now);
    this.outlet.bitrateBps = this.#meter.bytesPerSecond(now) * 8;
    this.#fragments.tick(this.outlet.source?.index.next(), everyMs);
    const { outlet, swarm, compensation } = this;
    const rate = this.#fragments.perSecond;
    spend(now, everyMs, { outlet, swarm, compensation, params: this.#params }, rate, cap);
    this.swarm.tick(now);
    this.#figures.tick(now);
    this.#watch.read(now);
    if (this.#lostAt !== undefined && now >= this.#lostAt + RESUME_MS) {
      this.#end(now, CloseCode.timeout);
    }
  }

  /** Viewers hear the capture clock, the publisher what its last viewer needs. */
  shareClocks(now: Ms): void {
    this.outlet.sendClocks(now);
    const session = this.#publisher?.session;
    const source = this.outlet.source;
    if (session === undefined || !(source instanceof Intake)) return;
    const playOutOffsetMs = this.outlet.playoutMsMax() - session.srttMs() / 2;
    const bytesPerSecond = Math.round(this.#meter.bytesPerSecond(now));
    const need = { playOutOffsetMs, uncertaintyMs: 0, next: source.index.oldest(), bytesPerSecond };
    for (const stream of session.sinks.keys()) session.sendFeedback(now, [{ stream, ...need }]);
  }

  stats(now: Ms): EdgeStreamStats | undefined {
    const source = this.outlet.source;
    if (source === undefined) return undefined;
    return {
      name: this.outlet.name,
      epoch: source.stream.epoch,
      publisher: this.publisherName,
      sinceMs: now - (this.#publisher?.since ?? now),
      viewers: this.outlet.receivers.size,
      framesIn: this.outlet.framesIn,
      bytesIn: this.outlet.bytesIn,
      ...this.outlet.sent(),
      bitrateKbps: (this.#meter.bytesPerSecond(now) * 8) / 1000,
      groupMs: groupMs(source.index, now),
      bufferedBytes: keptBytes(source.index),
      swarm: this.#figures.stats(now),
    };
  }
}
