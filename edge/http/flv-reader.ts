/**
 * One HTTP-FLV reader: a bounded queue between the stream and a socket that takes what it can. A reader that falls
 * behind loses what waits and goes on from the next group of pictures; one that takes nothing at all is cut. Neither
 * costs the stream or another reader anything.
 */
import { assert } from "../../runtime/base/assert.ts";

/** Queued tags are handed to the socket in pieces of about this many bytes: fewer writes at a join. */
const PIECE_BYTES = 64 * 1024;

/** One FLV tag on its way to readers. */
export interface Tag {
  readonly bytes: Uint8Array;
  /** Decoding can begin here. */
  readonly groupStart: boolean;
  /** Of a configuration or metadata: which, and what it says. Publishers repeat them; readers get changes only. */
  readonly config: { readonly kind: number; readonly body: Uint8Array } | undefined;
}

/** Why a reader is gone: it left, its stream ended, it took nothing, an operator wanted it, the edge stops. */
export type GoneReason = "left" | "ended" | "cut" | "kicked" | "shutdown";

export interface FlvReaderOptions {
  /** Address, for logs and the API. */
  readonly from: string;
  readonly sinceMs: number;
  /** What may wait beside the first group, bytes. */
  readonly queueBytesMax: number;
  /** Called once, when nothing more is sent to it. */
  readonly onGone: (reader: FlvReader, why: GoneReason) => void;
}

export class FlvReader {
  readonly from: string;
  readonly sinceMs: number;
  readonly body: ReadableStream<Uint8Array>;
  readonly #options: FlvReaderOptions;
  #queueBytesMax: number;
  /** The file header, until it is sent: it goes first whatever is dropped. */
  #header: Uint8Array | undefined;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #awaitsGroup = false;
  /** Configurations it has, by kind. */
  readonly #configs = new Map<number, Uint8Array>();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Resolves the socket's pending pull; undefined while it takes nothing. */
  #resolvePull: (() => void) | undefined;
  #lastPullMs: number;
  #gone = false;
  bytesOut = 0;
  tagsDropped = 0;

  constructor(options: FlvReaderOptions) {
    this.#options = options;
    this.#queueBytesMax = options.queueBytesMax;
    this.from = options.from;
    this.sinceMs = options.sinceMs;
    this.#lastPullMs = options.sinceMs;
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

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** What the response begins with: the header, and the current group of pictures if there is one. */
  begin(header: Uint8Array, group: readonly Tag[]): void {
    this.#header = header;
    for (const tag of group) if (this.#isNews(tag)) this.#enqueue(tag);
    this.#queueBytesMax += this.#queuedBytes;
    this.#awaitsGroup = group.length === 0;
    this.#flush();
  }

  push(tag: Tag): void {
    if (this.#gone) return;
    if (this.#queuedBytes + tag.bytes.length > this.#queueBytesMax) this.#dropQueue();
    if (this.#awaitsGroup && !tag.groupStart) {
      this.tagsDropped++;
      return;
    }
    this.#awaitsGroup = false;
    if (!this.#isNews(tag)) return;
    this.#enqueue(tag);
    this.#flush();
  }

  #enqueue(tag: Tag): void {
    if (tag.config !== undefined) this.#configs.set(tag.config.kind, tag.config.body);
    this.#queue.push(tag.bytes);
    this.#queuedBytes += tag.bytes.length;
  }

  #isNews({ config }: Tag): boolean {
    const known = config && this.#configs.get(config.kind);
    return known === undefined || config === undefined || !sameBytes(known, config.body);
  }

  /** Notes the time while the socket is taking data; false when it has taken nothing for `timeoutMs`. */
  isAlive(nowMs: number, timeoutMs: number): boolean {
    if (this.#resolvePull !== undefined) this.#lastPullMs = nowMs;
    return nowMs - this.#lastPullMs <= timeoutMs;
  }

  /** Ends the response; what is queued is forgotten. */
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
    if (resolve === undefined || (this.#queue.length === 0 && this.#header === undefined)) return;
    this.#resolvePull = undefined;
    const piece = this.#takePiece();
    this.bytesOut += piece.length;
    this.#controller?.enqueue(piece);
    resolve();
  }

  #takePiece(): Uint8Array {
    const header = this.#header;
    this.#header = undefined;
    if (header !== undefined) return header;
    let bytes = 0;
    let count = 0;
    for (const tag of this.#queue) {
      if (count > 0 && bytes + tag.length > PIECE_BYTES) break;
      bytes += tag.length;
      count++;
    }
    const tags = this.#queue.splice(0, count);
    this.#queuedBytes -= bytes;
    return count === 1 && tags[0] !== undefined ? tags[0] : Buffer.concat(tags, bytes);
  }

  #dropQueue(): void {
    this.tagsDropped += this.#queue.length;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#awaitsGroup = true;
    this.#configs.clear();
  }

  #leave(why: GoneReason): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#resolvePull?.();
    this.#resolvePull = undefined;
    this.#options.onGone(this, why);
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
