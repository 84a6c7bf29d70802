/**
 * The edge's fan-out and nothing around it: streams with their outlets, as an edge has them, and sessions without
 * handshakes. A frame is cut, stored and passed on fragment by fragment; what one turn gathers leaves in one round
 * (runtime/node/edge/fan-round.ts).
 */
import { assert } from "../../runtime/base/assert.ts";
import { AT_ONCE, type Ms } from "../../runtime/base/time.ts";
import { Uplink } from "../../runtime/core/sending/uplink.ts";
import { NodeContext } from "../../runtime/core/session/node-context.ts";
import { Outbox } from "../../runtime/core/session/outbox.ts";
import { ACK_FAST, type Session, type SessionHost } from "../../runtime/core/session/session.ts";
import { FanRounds } from "../../runtime/node/edge/fan-round.ts";
import { Outlet } from "../../runtime/node/edge/outlet.ts";
import type { Input, Node, NodeEnvironment, Output, Train } from "../../runtime/node/node.ts";
import { OwnStream } from "../../runtime/node/peer/own-stream.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { FrameKind } from "../../runtime/wire/frame.ts";

const RETENTION = { retainMs: 1000, groupMsMax: 2000 };
const GROUP_FRAMES = 30;
const UNLIMITED = {
  rateBpsInitial: Number.POSITIVE_INFINITY,
  rateBpsMax: Number.POSITIVE_INFINITY,
};

interface Stream {
  readonly own: OwnStream;
  readonly outlet: Outlet;
  frames: number;
}

export class FanNode implements Node<never>, SessionHost {
  readonly #outbox: Outbox<never>;
  readonly #context: NodeContext;
  readonly #rounds: FanRounds;
  readonly #sessions: Session[] = [];
  readonly #streams: Stream[] = [];
  mediaBytes = 0;
  closed = 0;

  /** `receivers` in all, spread over `streams`. */
  constructor(
    env: NodeEnvironment,
    now: Ms,
    receivers: number,
    streams: number,
    addresses: readonly Address[],
  ) {
    this.#outbox = new Outbox(env.hot);
    this.#context = new NodeContext(env.hot, env.random, this.#outbox, new Uplink(UNLIMITED));
    this.#rounds = new FanRounds([this.#context]);
    for (let i = 0; i < streams; i++) {
      const identity = { name: `live/${i}`, id: new Uint8Array(8).fill(i), epoch: 1 };
      const own = new OwnStream(env.hot, identity, RETENTION);
      const outlet = new Outlet(env.hot, identity.name, this.#rounds);
      outlet.begin(now, own);
      this.#streams.push({ own, outlet, frames: 0 });
    }
    for (let i = 0; i < receivers; i++) {
      const ids = { localHi: 1, localLo: i + 1, remoteHi: 2, remoteLo: i + 1 };
      const address = addresses[i % addresses.length] as Address;
      const session = this.#context.open(now, this, ids, address, ACK_FAST);
      assert(session !== undefined, "fan-out: no memory for a session");
      this.#streams[i % streams]?.outlet.add(now, session);
      this.#sessions.push(session);
    }
  }

  /** The next frame of a stream, `bytes` long, to all its receivers. */
  push(now: Ms, stream: number, bytes: number): void {
    const { own, outlet, frames } = this.#streams[stream] as Stream;
    const kind = frames % GROUP_FRAMES === 0 ? FrameKind.key : FrameKind.inter;
    const frame = { kind, dtsMs: now, ptsOffsetMs: 0, body: new Uint8Array(bytes) };
    (this.#streams[stream] as Stream).frames++;
    const before = outlet.bytesOut;
    for (const { first, total, flags, fragmentBytes, lastBytes } of own.push(now, frame)) {
      for (let i = 0; i < total; i++) {
        const length = i === total - 1 ? lastBytes : fragmentBytes;
        outlet.fanOut(now, (first + i) >>> 0, i, total, flags, length);
      }
    }
    this.#rounds.run(now);
    this.mediaBytes += outlet.bytesOut - before;
    this.#context.finish(now);
  }

  get resent(): number {
    return this.#sessions.reduce((sum, { packetsResent }) => sum + packetsResent, 0);
  }

  handleInput(now: Ms, input: Input): void {
    if (input.kind === "timeout") this.#context.handleTimeouts(now);
    else {
      this.#context.handleDatagram(now, input.from, input.data, input.slot);
      if (input.hasMore === true) return;
    }
    this.#context.finish(now);
  }

  pollOutput(): Output<never> | undefined {
    return this.#outbox.poll() as Output<never> | undefined;
  }

  pollTrain(): Train | undefined {
    return this.#outbox.pollTrain();
  }

  pollTimeout(): Ms {
    return this.#outbox.isEmpty ? this.#context.nextTimeout() : AT_ONCE;
  }

  handleControl(): void {}
  handleFeedback(): void {}
  handleClock(): void {}
  handleRequest(): void {}
  handleAnswer(): void {}
  handleMap(): void {}
  handleReport(): void {}
  handleClosed(_now: Ms, session: Session): void {
    this.closed++;
    for (const { outlet } of this.#streams) outlet.remove(session);
  }
}
