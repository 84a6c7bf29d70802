/**
 * One local player reading HTTP-FLV. What it has not taken yet waits in its response stream; above a bound nothing more
 * is added until it can go on from a key frame, and one that takes nothing for long is let go. Neither touches the peer
 * or the other readers.
 */

/** What may wait for a reader beyond its first group of pictures, bytes: 4 s of 8 Mbit/s. */
export const READER_QUEUE_BYTES_MAX = 4 << 20;
/** A reader that has taken nothing for so long is let go, ms. */
export const READER_STALL_MS_MAX = 15_000;

export class FlvReader {
  /** The response's body. */
  readonly body: ReadableStream<Uint8Array>;
  /** Whether it is the player page, which wants capture times and begins anew with a new encoder run. */
  readonly page: boolean;
  /** Added to timestamps, so that they go on rising across encoder runs; ms. */
  offsetMs = 0;
  lastTimestampMs = 0;
  /** Decoding time of its first frame, ms. */
  startMs = 0;
  /** Closes the connection of a player that takes nothing, which its stream alone can't. */
  cutConnection: (() => void) | undefined;
  /** Tags left out because it was behind. */
  tagsDropped = 0;
  readonly #onGone: (reader: FlvReader) => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #queueBytesMax = READER_QUEUE_BYTES_MAX;
  #begun = false;
  #awaitsGroup = false;
  #takenBytes = 0;
  #givenBytes = 0;
  #takenAtMs: number;

  constructor(page: boolean, nowMs: number, onGone: (reader: FlvReader) => void) {
    this.page = page;
    this.#takenAtMs = nowMs;
    this.#onGone = onGone;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.#leave(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
    );
  }

  get gone(): boolean {
    return this.#controller === undefined;
  }

  /** Bytes that wait to be taken. */
  get queuedBytes(): number {
    return Math.max(0, -(this.#controller?.desiredSize ?? 0));
  }

  /** Whether its response has begun. */
  get begun(): boolean {
    return this.#begun;
  }

  /** The start of the response: header, configurations and the current group, in one piece. */
  begin(bytes: Uint8Array): void {
    this.#queueBytesMax = READER_QUEUE_BYTES_MAX + bytes.length;
    this.#begun = true;
    this.#give(bytes);
  }

  /** A changed configuration: given even to a reader that is behind, which needs it to go on. */
  pushConfig(tag: Uint8Array): void {
    if (this.queuedBytes + tag.length > 2 * this.#queueBytesMax) this.#cut();
    else this.#give(tag);
  }

  /** One tag more; left out while the reader is behind. `groupStart`: decoding can begin here. */
  push(tag: Uint8Array, groupStart: boolean): void {
    if (this.queuedBytes + tag.length > this.#queueBytesMax) this.#awaitsGroup = true;
    else if (groupStart) this.#awaitsGroup = false;
    if (this.#awaitsGroup) this.tagsDropped++;
    else this.#give(tag);
  }

  /** Call now and then: lets a reader go that takes nothing. */
  handleTimeout(nowMs: number): void {
    const taken = this.#givenBytes - this.queuedBytes;
    if (taken > this.#takenBytes || this.queuedBytes === 0) {
      this.#takenBytes = taken;
      this.#takenAtMs = nowMs;
    } else if (nowMs - this.#takenAtMs > READER_STALL_MS_MAX) {
      this.#cut();
    }
  }

  /** Ends the response once what waits is taken. */
  close(): void {
    const controller = this.#controller;
    this.#leave();
    controller?.close();
  }

  #cut(): void {
    const controller = this.#controller;
    this.#leave();
    controller?.error(new Error("the player does not keep up"));
    this.cutConnection?.();
  }

  #give(bytes: Uint8Array): void {
    this.#givenBytes += bytes.length;
    this.#controller?.enqueue(bytes);
  }

  #leave(): void {
    if (!this.#controller) return;
    this.#controller = undefined;
    this.#onGone(this);
  }
}
