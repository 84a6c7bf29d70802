/**
 * One HTTP-FLV response: a reader's bounded queue (runtime/media/flv-reader.ts) as a body that gives exactly what the
 * socket takes. A reader that falls behind skips to a later key frame, one that takes nothing is cut; neither costs the
 * stream or another reader anything.
 */
import { assert } from "../../runtime/base/assert.ts";
import { FlvReader, type FlvReaderOptions } from "../../runtime/media/flv-reader.ts";
import type { StreamFrame } from "../../runtime/media/flv-stream.ts";

/** Why a reader is gone: it left, its stream ended, it took nothing, an operator wanted it, the edge stops. */
export type GoneReason = "left" | "ended" | "cut" | "kicked" | "shutdown";

export interface FlvResponseOptions {
  readonly reader: Partial<FlvReaderOptions>;
  /** Address, for logs and the API. */
  readonly from: string;
  readonly now: () => number;
  /** Called once, when nothing more is sent. */
  readonly onGone: (response: FlvResponse, why: GoneReason) => void;
}

export class FlvResponse {
  readonly from: string;
  readonly sinceMs: number;
  readonly body: ReadableStream<Uint8Array>;
  readonly #options: FlvResponseOptions;
  readonly #reader: FlvReader;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Resolves the socket's pending pull; undefined while it takes nothing. */
  #resolvePull: (() => void) | undefined;
  #gone = false;
  #bytesOut = 0;

  constructor(options: FlvResponseOptions, group: readonly StreamFrame[]) {
    this.#options = options;
    this.from = options.from;
    this.sinceMs = options.now();
    this.#reader = new FlvReader(options.reader);
    this.#reader.start(this.sinceMs, group);
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => this.#leave("left"),
      },
      { highWaterMark: 0 },
    );
  }

  /** Bytes handed to the socket. */
  get bytesOut(): number {
    return this.#bytesOut;
  }

  get queuedBytes(): number {
    return this.#gone ? 0 : this.#reader.queuedBytes;
  }

  get framesSkipped(): number {
    return this.#reader.framesSkipped;
  }

  push(frame: StreamFrame): void {
    if (this.#gone) return;
    this.#reader.push(this.#options.now(), frame);
    this.#flush();
  }

  /** Something waits, and the socket has taken nothing for too long. */
  isStalled(): boolean {
    return this.#reader.stalled(this.#options.now());
  }

  /** Ends the response; what waits is forgotten. */
  close(why: GoneReason): void {
    if (this.#gone) return;
    this.#controller?.close();
    this.#leave(why);
  }

  #pull(): Promise<void> | undefined {
    assert(this.#resolvePull === undefined, "one pull at a time");
    if (this.#gone) return undefined;
    return new Promise((resolve) => {
      this.#resolvePull = resolve;
      this.#flush();
    });
  }

  #flush(): void {
    const resolve = this.#resolvePull;
    if (resolve === undefined) return;
    const bytes = this.#reader.take(this.#options.now());
    if (bytes === undefined) return;
    this.#resolvePull = undefined;
    this.#bytesOut += bytes.length;
    this.#controller?.enqueue(bytes);
    resolve();
  }

  #leave(why: GoneReason): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#resolvePull?.();
    this.#resolvePull = undefined;
    this.#options.onGone(this, why);
  }
}
