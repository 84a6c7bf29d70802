/**
 * One stream published by a `Publisher` of its own on a UDP socket. Sources come and go in front of
 * it (an encoder that reconnects, a file that starts over); the session to the edge stays, and each
 * new run of the encoder is a new epoch.
 */
import { serialDiff } from "../runtime/base/serial.ts";
import type { HotPath } from "../runtime/core/hot-path/hot-path.ts";
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
/** The publisher is done within a second of `close`; the socket is closed by then in any case, ms. */
const CLOSE_MS_MAX = 2_000;

export interface PublishListener {
  event(event: PublisherEvent): void;
  /** A bug, or trouble with the socket. */
  trouble(error: unknown): void;
}

export class PublishedStream {
  readonly #publisher: Publisher;
  readonly #running: RunningNode;
  readonly #connected: Promise<void>;
  readonly #gone: Promise<void>;
  #lastDtsMs: number | undefined;
  #bodyBytes = 0;
  #closed = false;

  private constructor(
    publisher: Publisher,
    running: RunningNode,
    connected: Promise<void>,
    gone: Promise<void>,
  ) {
    this.#publisher = publisher;
    this.#running = running;
    this.#connected = connected;
    this.#gone = gone;
  }

  static async open(
    hot: HotPath,
    options: PublisherOptions,
    listener: PublishListener,
  ): Promise<PublishedStream> {
    const udp = await bindFor(options.edges);
    const publisher = new Publisher({ hot, random: systemRandom, bootEpoch: bootEpoch() }, options);
    const connected = signal();
    const gone = signal();
    const running = runNode<PublisherEvent>({
      node: publisher,
      udp,
      clock: systemClock,
      hot,
      onEvent(event) {
        if (event.type === "connected") connected.give();
        if (event.type === "closed") gone.give();
        listener.event(event);
      },
      onError: (error) => listener.trouble(error),
    });
    return new PublishedStream(publisher, running, connected.promise, gone.promise);
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

  /** Ends the stream: resolves when what was pushed has arrived, or had its time, and goodbye is said. */
  async close(): Promise<void> {
    if (this.#closed) return this.#gone;
    this.#closed = true;
    this.#publisher.close(systemClock.now());
    this.#running.wake();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS_MAX);
    });
    await Promise.race([this.#gone, late]);
    clearTimeout(timer);
    this.#running.stop();
  }

  #jumps(dtsMs: number): boolean {
    if (this.#lastDtsMs === undefined) return false;
    const stepMs = serialDiff(dtsMs, this.#lastDtsMs);
    return stepMs < -STEP_BACK_MS_MAX || stepMs > STEP_AHEAD_MS_MAX;
  }
}

/** A promise and what keeps it. */
function signal(): { readonly promise: Promise<void>; readonly give: () => void } {
  let give = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { promise, give };
}
