/**
 * The peer: a viewer's node. It keeps a session to its edge, files the fragments that come in, asks for what is
 * missing, and plays each frame when its time has come. An edge that restarts, an encoder that restarts, an outage:
 * it goes on.
 */
import { ProtocolViolation } from "../../base/errors.ts";
import { AT_ONCE, type Ms, ms, NEVER } from "../../base/time.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import { Uplink } from "../../core/sending/uplink.ts";
import { NodeContext } from "../../core/session/node-context.ts";
import { Outbox, type Output } from "../../core/session/outbox.ts";
import { ACK_VIEWER, type Session, type SessionHost } from "../../core/session/session.ts";
import type { CloseCode } from "../../wire/close-code.ts";
import type { ControlMessage } from "../../wire/control.ts";
import type { AnswerPacket, ClockEntry } from "../../wire/feedback.ts";
import { CONNECTED_FROM } from "../../wire/packet.ts";
import type { StreamInfo } from "../../wire/stream-info.ts";
import type { PeerCommands, PeerEvent, PeerOptions, PeerStats } from "../api.ts";
import type { Input, NodeEnvironment } from "../node.ts";
import { Upstream } from "../upstream.ts";
import { peerStats } from "./peer-stats.ts";
import { PeerSwarm } from "./peer-swarm.ts";
import { Playback } from "./playback.ts";

/** How often the edge hears of the play point, and holes are looked for. */
const TICK_MS = 20;
/** A tick waits this long for something else to wake the node: waking a process costs more than what it then does. */
const TICK_SLACK_MS = 15;
const FEEDBACK_MS = 500;
/** It waits so long for an ACK to travel with. */
const FEEDBACK_WAIT_MS = 250;
/** While the stream's clock is not known: each FEEDBACK that says so is answered with a CLOCK. */
const FEEDBACK_MS_FIRST = 40;
/** A run of the encoder that is over is played out next to its successor; older ones go. */
const PLAYBACKS_MAX = 2;

export class Peer implements PeerCommands, SessionHost {
  readonly #hot: HotPath;
  readonly #options: PeerOptions;
  readonly #outbox: Outbox<PeerEvent>;
  readonly #context: NodeContext;
  readonly #node = new Uint8Array(8);
  readonly #swarm: PeerSwarm;
  #upstream: Upstream | undefined;
  /** Runs of the encoder still being played, oldest first. */
  readonly #playbacks: Playback[] = [];
  readonly #total = { played: 0, skipped: 0, damaged: 0, stalledMs: 0 };
  #joinedAt: Ms | undefined;
  #firstFrameAt: Ms | undefined;
  #tickAt: Ms = NEVER;
  #feedbackAt: Ms = NEVER;
  #isClosed = false;
  #bytesIn = 0;

  constructor(env: NodeEnvironment, options: PeerOptions) {
    this.#hot = env.hot;
    this.#options = options;
    this.#outbox = new Outbox(env.hot);
    const rateBpsMax = Math.max(options.uploadBytesPerSecondMax * 8, 64_000);
    const uplink = new Uplink({ rateBpsInitial: rateBpsMax, rateBpsMax });
    this.#context = new NodeContext(env.hot, env.random, this.#outbox, uplink);
    env.random.fill(this.#node);
    this.#swarm = new PeerSwarm(this.#context, options, this.#node);
  }

  /* ---------------------------------------------------------------- node */

  handleInput(now: Ms, input: Input): void {
    if (this.#isClosed) return;
    const upstream = this.#startedUpstream(now);
    if (input.kind === "datagram") {
      const { from, data, slot } = input;
      this.#bytesIn += data.length + (slot === 0 ? 0 : this.#hot.payloadLength(slot));
      if ((data[0] ?? 0) >= CONNECTED_FROM) this.#context.handleDatagram(now, from, data, slot);
      else if (!upstream.handleDatagram(now, from, data)) {
        this.#swarm.handleDatagram(now, from, data);
      }
    } else {
      this.#context.handleTimeouts(now);
      upstream.handleTimeout(now);
      this.#swarm.handleTimeout(now);
    }
    if (now >= this.#tickAt) this.#tick(now);
    this.#play(now);
    this.#context.finish(now);
  }

  pollOutput(): Output<PeerEvent> | undefined {
    return this.#outbox.poll();
  }

  pollTimeout(): Ms {
    if (!this.#outbox.isEmpty) return AT_ONCE;
    if (this.#isClosed) return NEVER;
    const upstream = this.#upstream?.nextTimeout() ?? AT_ONCE;
    const due = this.#playbacks[0]?.nextDue() ?? NEVER;
    return ms(
      Math.min(
        this.#context.nextTimeout(),
        this.#swarm.nextTimeout(),
        upstream,
        this.#tickAt + TICK_SLACK_MS,
        due,
      ),
    );
  }

  /** The link is begun by the first input, which brings the first `now`. */
  #startedUpstream(now: Ms): Upstream {
    if (this.#upstream !== undefined) return this.#upstream;
    this.#joinedAt = now;
    const { uploadBytesPerSecondMax, metered } = this.#options;
    const isGiver = uploadBytesPerSecondMax > 0 && metered !== true;
    this.#upstream = new Upstream(this.#context, now, {
      edges: this.#options.edges,
      host: this,
      ack: ACK_VIEWER,
      params: (_cookie, _cid, moved) => ({
        moved,
        ...(isGiver ? {} : { consumes: 1 }),
        role: "viewer",
        stream: this.#options.stream,
        agent: this.#options.agent,
        node: this.#node,
      }),
      opened: (at, session, accept) => {
        this.#swarm.handleEdge(at, session);
        const mask = this.#swarm.parents.heldMask;
        if (mask !== 0)
          session.sendControl(at, { t: "release", mask }); /* they feed us as before */
        const { stream } = accept.params;
        if (stream !== undefined) this.#bind(at, session, stream);
      },
      event: (event) => this.#outbox.event(event),
    });
    return this.#upstream;
  }

  /* ---------------------------------------------------------------- playing */

  #play(now: Ms): void {
    for (;;) {
      const playback = this.#playbacks[0];
      if (playback === undefined) return;
      this.#playFrom(now, playback);
      const isOver = this.#playbacks.length > 1 ? playback.isOver(now) : playback.isFinished(now);
      if (!isOver) return;
      this.#retire(now, playback);
    }
  }

  #playFrom(now: Ms, playback: Playback): void {
    if (!playback.buffer.isDue(now)) return;
    const { epoch } = playback.intake.stream;
    for (;;) {
      const played = playback.buffer.pollFrame(now);
      if (played === undefined) break;
      if (this.#firstFrameAt === undefined) this.#firstFrameAt = now;
      const { frame, capturedAt, decodeOnly, damaged } = played;
      this.#outbox.event({ type: "frame", frame, epoch, capturedAt, decodeOnly, damaged });
    }
    const frames = playback.buffer.takeSkipped();
    if (frames > 0) this.#outbox.event({ type: "skipped", frames });
  }

  #retire(now: Ms, playback: Playback): void {
    this.#playbacks.shift();
    const { buffer, intake } = playback;
    this.#total.played += buffer.framesPlayed;
    this.#total.skipped += buffer.framesSkipped;
    this.#total.damaged += buffer.framesDamaged;
    this.#total.stalledMs += buffer.stalledMs(now);
    this.#outbox.event({ type: "ended", epoch: intake.stream.epoch });
    const session = this.#upstream?.session;
    if (session !== undefined) playback.unbind(session);
    this.#swarm.end(now, playback);
    intake.close();
    const next = this.#playbacks[0];
    if (next !== undefined) this.#outbox.event({ type: "epoch", epoch: next.intake.stream.epoch });
    else this.#tickAt = NEVER;
  }

  #tick(now: Ms): void {
    this.#tickAt = this.#playbacks.length === 0 ? NEVER : ms(now + TICK_MS);
    const session = this.#upstream?.session;
    const isFeedbackDue = now >= this.#feedbackAt;
    const isSettled = this.#playbacks.every((playback) => playback.intake.clock.ready);
    if (isFeedbackDue) this.#feedbackAt = ms(now + (isSettled ? FEEDBACK_MS : FEEDBACK_MS_FIRST));
    for (const playback of this.#playbacks) {
      playback.tick(now);
      if (session !== undefined && isFeedbackDue) {
        playback.sendFeedback(now, session, isSettled ? FEEDBACK_WAIT_MS : 0);
      }
    }
    this.#swarm.tick(now);
  }

  /* ---------------------------------------------------------------- session host */

  handleControl(now: Ms, session: Session, message: ControlMessage): void {
    if (this.#upstream?.handleControl(now, session, message) === true) return;
    if (session !== this.#upstream?.session) return; /* an edge that was left */
    if (this.#swarm.handleEdgeControl(now, message)) return;
    if (message.t === "stream") {
      if (message.name !== this.#options.stream) {
        throw new ProtocolViolation("unexpected", `stream "${message.name}" was not asked for`);
      }
      if (session.sinks.has(message.index)) return; /* known from the ACCEPT */
      this.#bind(now, session, message);
    } else if (message.t === "ended") {
      for (const playback of this.#playbacks)
        playback.handleEnded(now, message.index, message.next);
    }
  }

  #bind(now: Ms, session: Session, message: StreamInfo): void {
    const { name, id, epoch, index } = message;
    let playback = this.#playbacks.find((one) => one.intake.stream.epoch === epoch);
    if (playback === undefined) {
      while (this.#playbacks.length >= PLAYBACKS_MAX) {
        this.#retire(now, this.#playbacks[0] as Playback);
      }
      for (const before of this.#playbacks) before.handleSucceeded(now);
      playback = new Playback(this.#hot, { name, id, epoch }, this.#options, this.#swarm);
      this.#playbacks.push(playback);
      this.#swarm.begin(now, playback);
      if (this.#playbacks.length === 1) this.#outbox.event({ type: "epoch", epoch });
    }
    playback.bind(session, index, message.first);
    if (this.#tickAt === NEVER) this.#tickAt = ms(now + TICK_MS);
    this.#feedbackAt = now;
  }

  handleFeedback(): void {}

  handleClock(now: Ms, session: Session, entry: ClockEntry): void {
    if (session !== this.#upstream?.session) return;
    for (const playback of this.#playbacks) playback.handleClock(now, session, entry);
  }

  handleRequest(): void {}
  handleMap(): void {}
  handleReport(): void {}

  handleAnswer(now: Ms, session: Session, answer: AnswerPacket): void {
    if (session !== this.#upstream?.session) return;
    for (const { edgeIndex, buffer } of this.#playbacks) {
      if (edgeIndex === answer.stream) this.#swarm.puller.handleAnswer(now, answer, buffer, true);
    }
  }

  handleClosed(now: Ms, session: Session, code: CloseCode, detail: string): void {
    if (session === this.#upstream?.session) this.#swarm.handleEdge(now, undefined);
    this.#upstream?.handleClosed(now, session, code, detail);
  }

  /* ---------------------------------------------------------------- commands */

  stats(now: Ms): PeerStats {
    return peerStats(now, {
      options: this.#options,
      session: this.#upstream?.session,
      playback: this.#playbacks[0],
      total: this.#total,
      swarm: this.#swarm,
      firstFrameMs: (this.#firstFrameAt ?? now) - (this.#joinedAt ?? now),
      bytesIn: this.#bytesIn,
      isClosed: this.#isClosed || this.#upstream?.isFinal === true,
    });
  }

  close(now: Ms): void {
    this.#upstream?.close(now);
    this.#swarm.close(now);
    for (const playback of this.#playbacks) playback.intake.close();
    this.#playbacks.length = 0;
    this.#isClosed = true;
    this.#context.finish(now);
  }
}
