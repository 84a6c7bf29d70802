/**
 * One local player's HTTP response: the bounded queue of runtime/media/flv-reader.ts as the body of
 * a response, which is filled only as fast as the player takes it.
 */
import { FlvReader } from "../runtime/media/flv-reader.ts";
import type { StreamFrame } from "../runtime/media/flv-stream.ts";

export class LocalReader {
  /** The response's body. */
  readonly body: ReadableStream<Uint8Array>;
  /**
   * Whether it is the player page: it gets capture marks, and asks anew when a new encoder run
   * begins.
   */
  readonly page: boolean;
  /** Closes the connection of a player that takes nothing, which ending its body can't. */
  cutConnection: (() => void) | undefined;
  readonly #queue: FlvReader;
  readonly #onGone: (reader: LocalReader) => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Resolves the player's pending pull; undefined while it takes nothing. */
  #resolvePull: (() => void) | undefined;

  constructor(page: boolean, onGone: (reader: LocalReader) => void) {
    this.page = page;
    this.#onGone = onGone;
    this.#queue = new FlvReader({ captureMarks: page });
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () =>
          new Promise((resolve) => {
            this.#resolvePull = resolve;
            this.#flush();
          }),
        cancel: () => this.#leave(),
      },
      { highWaterMark: 0 },
    );
  }

  get gone(): boolean {
    return this.#controller === undefined;
  }

  get queuedBytes(): number {
    return this.#queue.queuedBytes;
  }

  /** Frames left out because the player was behind. */
  get framesSkipped(): number {
    return this.#queue.framesSkipped;
  }

  /** Begins the response with the current group of pictures, configurations first. Call once. */
  start(nowMs: number, group: readonly StreamFrame[]): void {
    this.#queue.start(nowMs, group);
    this.#flush();
  }

  push(nowMs: number, item: StreamFrame): void {
    if (this.gone) return;
    this.#queue.push(nowMs, item);
    this.#flush();
  }

  /** Call now and then: lets a player go that takes nothing. */
  handleTimeout(nowMs: number): void {
    if (!this.#queue.stalled(nowMs)) return;
    this.close();
    this.cutConnection?.();
  }

  /** Ends the response; what still waits is forgotten. */
  close(): void {
    const controller = this.#controller;
    this.#leave();
    controller?.close();
  }

  #flush(): void {
    const resolve = this.#resolvePull;
    if (!resolve || !this.#controller) return;
    const bytes = this.#queue.take(performance.now());
    if (!bytes) return;
    this.#resolvePull = undefined;
    this.#controller.enqueue(bytes);
    resolve();
  }

  #leave(): void {
    if (!this.#controller) return;
    this.#controller = undefined;
    this.#resolvePull?.();
    this.#resolvePull = undefined;
    this.#onGone(this);
  }
}
