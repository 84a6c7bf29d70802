/**
 * The publisher: takes frames from an encoder, cuts them into fragments and sends them to one edge. It keeps the
 * current group of pictures, so that an edge that comes back (or comes late) gets a point to start from.
 */
import { AT_ONCE, type Ms, ms, NEVER } from "../base/time.ts";
import type { HotPath } from "../core/hot-path/hot-path.ts";
import { SendClass } from "../core/sending/send-queue.ts";
import { Uplink } from "../core/sending/uplink.ts";
import { NodeContext } from "../core/session/node-context.ts";
import { Outbox, type Output } from "../core/session/outbox.ts";
import { ACK_FAST, type Session, type SessionHost } from "../core/session/session.ts";
import type { CloseCode } from "../wire/close-code.ts";
import type { ControlMessage } from "../wire/control.ts";
import { proofOf } from "../wire/cookie.ts";
import type { FeedbackEntry } from "../wire/feedback.ts";
import type { MediaFrame } from "../wire/frame.ts";
import { CONNECTED_FROM } from "../wire/packet.ts";
import type { PublisherCommands, PublisherEvent, PublisherOptions, PublisherStats } from "./api.ts";
import { linkStats } from "./link-stats.ts";
import type { Input, NodeEnvironment } from "./node.ts";
import { OwnStream } from "./peer/own-stream.ts";
import { streamIdOf } from "./stream-id.ts";
import { Upstream } from "./upstream.ts";

const BUDGET_MS = 1000;
const CLOCK_MS = 1000;
/** After `close`, what was pushed has this long to arrive. */
const LINGER_MS = 1000;
/** What a publisher keeps for an edge that comes back: the current group, at most this. */
const GROUP_MS_MAX = 12_000;

export class Publisher implements PublisherCommands, SessionHost {
  readonly #hot: HotPath;
  readonly #options: PublisherOptions;
  readonly #outbox: Outbox<PublisherEvent>;
  readonly #context: NodeContext;
  #upstream: Upstream | undefined;
  #stream: OwnStream;
  /** Index under which the current session knows the current epoch; 0 = none. */
  #index = 0;
  #clockAt: Ms = NEVER;
  /** What the edge says its last viewer needs, ms after capture. */
  #playoutMs: number;
  #framesAccepted = 0;
  /** Goodbye is said then at the latest; what was pushed is still being delivered. */
  #closeBy: Ms = NEVER;
  #isEndTold = false;
  #isClosed = false;
  readonly #node = new Uint8Array(8);

  constructor(env: NodeEnvironment, options: PublisherOptions) {
    this.#hot = env.hot;
    this.#options = options;
    this.#outbox = new Outbox(env.hot);
    const uplink = new Uplink({ rateBpsInitial: 20e6, rateBpsMax: Number.POSITIVE_INFINITY });
    this.#context = new NodeContext(env.hot, env.random, this.#outbox, uplink);
    this.#playoutMs = options.budgetMs ?? BUDGET_MS;
    env.random.fill(this.#node);
    this.#stream = this.#newStream(env.bootEpoch);
  }

  #newStream(epoch: number): OwnStream {
    const name = this.#options.stream;
    const identity = { name, id: streamIdOf(name), epoch };
    return new OwnStream(this.#hot, identity, { retainMs: 2000, groupMsMax: GROUP_MS_MAX });
  }

  /* ---------------------------------------------------------------- commands */

  push(now: Ms, frame: MediaFrame): void {
    if (this.#isEnding) return;
    this.#framesAccepted++;
    const session = this.#upstream?.session;
    for (const segment of this.#stream.push(now, frame)) {
      if (session === undefined || this.#index === 0) continue;
      segment.stream = this.#index;
      segment.deadlineMs = now + this.#playoutMs;
      segment.sendClass = SendClass.push;
      session.queue.enqueueSegment(now, segment);
    }
    this.#context.finish(now);
  }

  newEpoch(now: Ms): void {
    if (this.#isEnding) return;
    const session = this.#upstream?.session;
    if (session !== undefined && this.#index !== 0) {
      session.sendControl(now, { t: "ended", index: this.#index, next: this.#stream.index.next() });
      session.queue.dropStream(this.#index);
      session.sources.delete(this.#index);
    }
    const epoch = (this.#stream.stream.epoch + 1) >>> 0;
    this.#stream.close();
    this.#stream = this.#newStream(epoch);
    this.#announce(now);
    this.#context.finish(now);
  }

  /** No more frames; goodbye once those it took have arrived, after `LINGER_MS` at the latest. Again: at once. */
  close(now: Ms): void {
    if (this.#isClosed) return;
    this.#closeBy = this.#isEnding ? now : ms(now + LINGER_MS);
    this.#linger(now);
    this.#context.finish(now);
  }

  /** Goodbye has been said: the node does nothing any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** `close` was called. */
  get #isEnding(): boolean {
    return this.#closeBy !== NEVER;
  }

  /** First the frames, then word of the end, each to be acknowledged; then goodbye. */
  #linger(now: Ms): void {
    const session = this.#upstream?.session;
    const isLost = this.#upstream === undefined || this.#upstream.isFinal;
    const isOver = isLost || this.#framesAccepted === 0 || now >= this.#closeBy;
    if (!isOver && session?.isSettled !== true) return;
    if (session !== undefined && this.#index !== 0 && !this.#isEndTold) {
      this.#isEndTold = true;
      session.sendControl(now, { t: "ended", index: this.#index, next: this.#stream.index.next() });
      if (!isOver) return;
    }
    this.#upstream?.close(now);
    this.#stream.close();
    this.#isClosed = true;
    this.#outbox.event({ type: "closed" });
  }

  stats(now: Ms): PublisherStats {
    const session = this.#upstream?.session;
    return {
      stream: this.#options.stream,
      epoch: this.#stream.stream.epoch,
      framesAccepted: this.#framesAccepted,
      framesDropped: session?.queue.segmentsDropped ?? 0,
      link: session === undefined ? null : linkStats(now, session),
    };
  }

  /* ---------------------------------------------------------------- node */

  handleInput(now: Ms, input: Input): void {
    if (this.#isClosed) return;
    const upstream = this.#startedUpstream(now);
    if (input.kind === "datagram") {
      const { from, data, slot } = input;
      if ((data[0] ?? 0) >= CONNECTED_FROM) this.#context.handleDatagram(now, from, data, slot);
      else if (!upstream.handleDatagram(now, from, data)) this.#context.datagramsRefused++;
    } else {
      this.#context.handleTimeouts(now);
      upstream.handleTimeout(now);
      if (now >= this.#clockAt) this.#sendClock(now);
    }
    if (this.#isEnding) this.#linger(now);
    this.#context.finish(now);
  }

  pollOutput(): Output<PublisherEvent> | undefined {
    return this.#outbox.poll();
  }

  pollTimeout(): Ms {
    if (!this.#outbox.isEmpty) return AT_ONCE;
    if (this.#isClosed) return NEVER;
    const upstream = this.#upstream?.nextTimeout() ?? AT_ONCE;
    return ms(Math.min(this.#context.nextTimeout(), upstream, this.#clockAt, this.#closeBy));
  }

  /** The link is begun by the first input, which brings the first `now`. */
  #startedUpstream(now: Ms): Upstream {
    this.#upstream ??= new Upstream(this.#context, now, {
      edges: this.#options.edges,
      host: this,
      ack: ACK_FAST,
      params: (cookie, cid, moved) => ({
        moved,
        role: "publisher",
        stream: this.#options.stream,
        epoch: this.#stream.stream.epoch,
        proof: proofOf(this.#options.key, cookie, cid, this.#options.stream),
        agent: this.#options.agent,
        node: this.#node,
      }),
      opened: (at) => this.#announce(at),
      event: (event) => this.#outbox.event(event),
    });
    return this.#upstream;
  }

  /** Tells a fresh session of the current epoch, and sends it the current group. */
  #announce(now: Ms): void {
    const session = this.#upstream?.session;
    if (session === undefined) return;
    this.#index = session.nextStreamIndex();
    session.sources.set(this.#index, { store: this.#stream.index.store });
    const { name, id, epoch } = this.#stream.stream;
    const first = this.#stream.index.groupStart();
    const next = this.#stream.index.next();
    session.sendControl(now, { t: "stream", index: this.#index, name, id, epoch, first, next });
    if (!session.isOpen) return;
    this.#isEndTold = false;
    this.#sendClock(now);
    for (const segment of this.#stream.currentGroup()) {
      segment.stream = this.#index;
      segment.deadlineMs = now + GROUP_MS_MAX;
      segment.sendClass = SendClass.burst;
      session.queue.enqueueSegment(now, segment);
    }
  }

  #sendClock(now: Ms): void {
    const session = this.#upstream?.session;
    this.#clockAt = session === undefined ? NEVER : ms(now + CLOCK_MS);
    const stream = this.#index;
    const frontier = this.#stream.index.next();
    session?.sendClock(now, [{ stream, captureOffsetMs: 0, uncertaintyMs: 0, frontier }]);
  }

  /* ---------------------------------------------------------------- session host */

  handleControl(now: Ms, session: Session, message: ControlMessage): void {
    if (this.#upstream?.handleControl(now, session, message) === true) return;
    if (message.t !== "warn") return;
    this.#outbox.event({ type: "warning", code: message.code, text: message.text });
  }

  handleFeedback(_now: Ms, session: Session, entry: FeedbackEntry): void {
    if (entry.stream !== this.#index) return;
    const budgetMs = this.#options.budgetMs ?? BUDGET_MS;
    if (entry.playOutOffsetMs > 0) {
      this.#playoutMs = Math.min(entry.playOutOffsetMs, budgetMs);
    }
    session.queue.handleFrontier(entry.stream, entry.next);
  }

  handleClock(): void {}
  handleRequest(): void {}
  handleAnswer(): void {}
  handleMap(): void {}
  handleReport(): void {}

  handleClosed(now: Ms, session: Session, code: CloseCode, detail: string): void {
    if (session === this.#upstream?.session) this.#index = 0;
    this.#upstream?.handleClosed(now, session, code, detail);
  }
}
