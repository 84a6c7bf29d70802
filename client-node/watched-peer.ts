/**
 * One stream watched by a peer of its own: the role `Peer` on a UDP socket, its frames going to the
 * local players, its figures to whoever asks. It goes on by itself whatever the edge does; only
 * what the edge says is final ends it.
 */
import type { HotPath } from "../runtime/core/hot-path/hot-path.ts";
import { systemClock } from "../runtime/io/clock.ts";
import { type RunningNode, runNode } from "../runtime/io/driver.ts";
import { systemRandom } from "../runtime/io/entropy.ts";
import type { LinkEvent, PeerEvent, PeerOptions, PeerStats } from "../runtime/node/api.ts";
import { Peer } from "../runtime/node/peer/peer.ts";
import type { Address } from "../runtime/wire/address.ts";
import { FlvHub } from "./flv-hub.ts";
import type { ReaderRefusal } from "./http-app.ts";
import type { LocalReader } from "./local-reader.ts";
import { bindFor, bootEpoch } from "./node-birth.ts";
import { ownAddresses } from "./own-machine.ts";
import type { WatchedStream } from "./watched-streams.ts";

/** A player that asks before there is a picture waits so long for one, ms. */
const PICTURE_WAIT_MS = 5_000;

/** What the program hears of a peer. */
export interface PeerListener {
  link(event: LinkEvent): void;
  ended(): void;
  /** It could not begin. */
  failed(why: string): void;
  /** A bug, or trouble with the socket. */
  trouble(error: unknown): void;
}

/** A peer's figures with what this program adds. */
export interface WatchStats extends PeerStats {
  /** Local players that read the stream now. */
  readonly readers: number;
  /** Bytes that wait for them. */
  readonly readersQueuedBytes: number;
  /** Upload cap, bytes/s; null = none. */
  readonly uploadBytesPerSecondMax: number | null;
  /** On a connection that is paid by volume: consumes only. */
  readonly metered: boolean;
  /**
   * The last frame played out: its decoding time and its capture, ms since 1970; null before the
   * first.
   */
  readonly clock: { readonly dtsMs: number; readonly capturedAtEpochMs: number } | null;
}

export class WatchedPeer implements WatchedStream {
  readonly name: string;
  readonly #peer: Peer;
  readonly #hub = new FlvHub(() => systemClock.now());
  readonly #options: PeerOptions;
  /** Known once there is a socket, before the first word to the edge. */
  readonly #ownAddresses: Address[] = [];
  readonly #listener: PeerListener;
  #running: RunningNode | undefined;
  #closed = false;
  /** Why there is nothing to play, when the edge has said so. */
  #notLive: string | undefined;
  #clock: WatchStats["clock"] = null;
  #waiters = new Set<() => void>();
  readonly #sweep: ReturnType<typeof setInterval>;

  constructor(hot: HotPath, options: PeerOptions, listener: PeerListener) {
    this.name = options.stream;
    this.#options = options;
    this.#listener = listener;
    this.#peer = new Peer(
      { hot, random: systemRandom, bootEpoch: bootEpoch() },
      { ...options, ownAddresses: this.#ownAddresses },
    );
    this.#sweep = setInterval(() => this.#hub.handleTimeout(), 1_000);
    void this.#run(hot);
  }

  get readerCount(): number {
    return this.#hub.readerCount;
  }

  stats(): WatchStats {
    const cap = this.#options.uploadBytesPerSecondMax;
    return {
      ...this.#peer.stats(systemClock.now()),
      readers: this.#hub.readerCount,
      readersQueuedBytes: this.#hub.queuedBytes,
      uploadBytesPerSecondMax: Number.isFinite(cap) ? cap : null,
      metered: this.#options.metered === true,
      clock: this.#clock,
    };
  }

  async openReader(page: boolean, signal: AbortSignal): Promise<LocalReader | ReaderRefusal> {
    const deadline = systemClock.now() + PICTURE_WAIT_MS;
    while (!this.#hub.ready && !this.#closed && this.#notLive === undefined) {
      const left = deadline - systemClock.now();
      if (left <= 0 || signal.aborted) break;
      await this.#change(left, signal);
    }
    if (this.#closed) return { refused: "shutting down" };
    if (!this.#hub.ready) {
      return { refused: "not live", detail: this.#notLive ?? "no picture from the edge yet" };
    }
    return this.#hub.open(page) ?? { refused: "too many readers" };
  }

  /** Says goodbye and frees everything. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#sweep);
    this.#peer.close(systemClock.now());
    this.#running?.wake();
    this.#running?.stop();
    this.#hub.close();
    this.#wakeWaiters();
  }

  async #run(hot: HotPath): Promise<void> {
    try {
      const udp = await bindFor(this.#options.edges);
      if (this.#closed) return udp.close();
      this.#ownAddresses.push(...ownAddresses(udp.localAddress));
      this.#running = runNode<PeerEvent>({
        node: this.#peer,
        udp,
        clock: systemClock,
        hot,
        onEvent: (event) => this.#handleEvent(event),
        onError: (error) => this.#listener.trouble(error),
      });
    } catch (error) {
      this.#setNotLive((error as Error).message);
      this.#listener.failed((error as Error).message);
    }
  }

  #handleEvent(event: PeerEvent): void {
    switch (event.type) {
      case "frame":
        return this.#handleFrame(event);
      case "ended":
        this.#hub.handleEnd();
        return this.#listener.ended();
      case "connected":
        this.#notLive = undefined;
        return this.#listener.link(event);
      case "refused":
        if (event.reason === "unknown stream" || event.final)
          this.#setNotLive(event.detail || event.reason);
        return this.#listener.link(event);
      case "disconnected":
        if (event.final) this.#setNotLive(event.detail || event.reason);
        return this.#listener.link(event);
      case "epoch":
      case "skipped":
        return;
    }
  }

  #handleFrame(event: Extract<PeerEvent, { type: "frame" }>): void {
    const now = systemClock.now();
    const capturedAtEpochMs = Date.now() + event.capturedAt - now;
    this.#notLive = undefined;
    this.#clock = { dtsMs: event.frame.dtsMs, capturedAtEpochMs };
    const wasReady = this.#hub.ready;
    this.#hub.handleFrame({ frame: event.frame, epoch: event.epoch, capturedAtEpochMs });
    if (!wasReady && this.#hub.ready) this.#wakeWaiters();
  }

  #setNotLive(why: string): void {
    this.#notLive = why;
    this.#wakeWaiters();
  }

  #wakeWaiters(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  /** Resolves when something changed that a waiting player wants to know, or the time is up. */
  #change(spanMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, spanMs);
      signal.addEventListener("abort", done);
      this.#waiters.add(done);
    });
  }
}
