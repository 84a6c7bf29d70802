/**
 * One stream published by a `Publisher` of its own on a UDP socket. Sources come and go in front of
 * it (an encoder that reconnects, a file that starts over); the session to the edge stays, and each
 * new run of the encoder is a new epoch.
 */
import { serialDiff } from "../runtime/base/serial.ts";
import type { HotPath } from "../runtime/core/hot-path.ts";
import { systemClock } from "../runtime/io/clock.ts";
import { type RunningNode, runNode } from "../runtime/io/driver.ts";
import { systemRandom } from "../runtime/io/entropy.ts";
import type { PublisherEvent, PublisherOptions, PublisherStats } from "../runtime/node/api.ts";
import { Publisher } from "../runtime/node/publisher.ts";
import { FrameKind, type MediaFrame } from "../runtime/wire/frame.ts";
import { bindFor, bootEpoch } from "./node-birth.ts";

/** Decoding times that step back by more, or ahead by more, are a new run of the encoder, ms. */
const STEP_BACK_MS_MAX = 1_000;
const STEP_AHEAD_MS_MAX = 10_000;
/** What is queued at the end of the input may take so long to leave, ms. */
const FLUSH_MS_MAX = 2_000;
const FLUSH_POLL_MS = 50;

export interface PublishListener {
  event(event: PublisherEvent): void;
  /** A bug, or trouble with the socket. */
  trouble(error: unknown): void;
}

export class PublishedStream {
  readonly #publisher: Publisher;
  readonly #running: RunningNode;
  readonly #connected: Promise<void>;
  #lastDtsMs: number | undefined;
  #bodyBytes = 0;
  #closed = false;

  private constructor(publisher: Publisher, running: RunningNode, connected: Promise<void>) {
    this.#publisher = publisher;
    this.#running = running;
    this.#connected = connected;
  }

  static async open(
    hot: HotPath,
    options: PublisherOptions,
    listener: PublishListener,
  ): Promise<PublishedStream> {
    const udp = await bindFor(options.edges);
    const publisher = new Publisher({ hot, random: systemRandom, bootEpoch: bootEpoch() }, options);
    let resolveConnected = (): void => undefined;
    const connected = new Promise<void>((resolve) => {
      resolveConnected = resolve;
    });
    const running = runNode<PublisherEvent>({
      node: publisher,
      udp,
      clock: systemClock,
      hot,
      onEvent(event) {
        if (event.type === "connected") resolveConnected();
        listener.event(event);
      },
      onError: (error) => listener.trouble(error),
    });
    return new PublishedStream(publisher, running, connected);
  }

  /** Resolves when the edge has taken the stream for the first time. */
  get connected(): Promise<void> {
    return this.#connected;
  }

  /** Bytes of frames taken so far. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** The next frame of the current source. */
  push(frame: MediaFrame): void {
    if (this.#closed) return;
    if (frame.kind >= FrameKind.audio) {
      if (this.#jumps(frame.dtsMs)) this.newRun();
      this.#lastDtsMs = frame.dtsMs;
    }
    this.#bodyBytes += frame.body.length;
    this.#publisher.push(systemClock.now(), frame);
    this.#running.wake();
  }

  /** The encoder starts over: timestamps and configurations begin again. */
  newRun(): void {
    if (this.#closed || this.#lastDtsMs === undefined) return;
    this.#lastDtsMs = undefined;
    this.#publisher.newEpoch(systemClock.now());
    this.#running.wake();
  }

  stats(): PublisherStats {
    return this.#publisher.stats(systemClock.now());
  }

  /** Waits until what was pushed has left, but not for long. */
  async flush(): Promise<void> {
    const until = systemClock.now() + FLUSH_MS_MAX;
    while (systemClock.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, FLUSH_POLL_MS));
      if ((this.stats().link?.queuedBytes ?? 0) === 0) return;
    }
  }

  /** Ends the stream and says goodbye. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#publisher.close(systemClock.now());
    this.#running.wake();
    this.#running.stop();
  }

  #jumps(dtsMs: number): boolean {
    if (this.#lastDtsMs === undefined) return false;
    const stepMs = serialDiff(dtsMs, this.#lastDtsMs);
    return stepMs < -STEP_BACK_MS_MAX || stepMs > STEP_AHEAD_MS_MAX;
  }
}
