/**
 * A stream's frames on their way to local players. The hub keeps the configurations and the current
 * group of pictures, so that a player that opens the stream has a picture at once, and then passes
 * every frame on as it is played out.
 */
import { serialDiff } from "../runtime/base/serial.ts";
import type { StreamFrame } from "../runtime/media/flv-stream.ts";
import { FrameKind, type MediaFrame } from "../runtime/wire/frame.ts";
import { LocalReader } from "./local-reader.ts";

/**
 * Largest group kept for those who join, bytes; a longer one is forgotten and they wait for the
 * next key frame.
 */
export const GROUP_BYTES_MAX = 16 << 20;
/** Readers of one stream at most. */
export const READERS_MAX = 32;
/**
 * Of a stream that is sound alone so much is kept, ms; FlvStreamWriter wants a second to be sure of
 * it.
 */
const AUDIO_KEPT_MS = 1_200;
const AUDIO_READY_MS = 1_000;

export class FlvHub {
  readonly #nowMs: () => number;
  readonly #readers = new Set<LocalReader>();
  readonly #configs = new Map<FrameKind, StreamFrame>();
  #group: StreamFrame[] = [];
  #groupBytes = 0;
  #epoch: number | undefined;
  #hasKey = false;

  /** `nowMs`: the clock by which players are waited for. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get readerCount(): number {
    return this.#readers.size;
  }

  /** Whether a player that opens now has something to show at once. */
  get ready(): boolean {
    const [first] = this.#group;
    const last = this.#group[this.#group.length - 1];
    if (!first || !last) return false;
    return this.#hasKey || serialDiff(last.frame.dtsMs, first.frame.dtsMs) >= AUDIO_READY_MS;
  }

  /** Bytes waiting for readers, over all of them. */
  get queuedBytes(): number {
    let sum = 0;
    for (const reader of this.#readers) sum += reader.queuedBytes;
    return sum;
  }

  /**
   * A new reader, its response begun with the current group if there is one; undefined when there
   * are too many.
   */
  open(page: boolean): LocalReader | undefined {
    if (this.#readers.size >= READERS_MAX) return undefined;
    const reader = new LocalReader(page, (gone) => this.#readers.delete(gone));
    this.#readers.add(reader);
    reader.start(this.#nowMs(), [...this.#configs.values(), ...this.#group]);
    return reader;
  }

  /** A frame was played out. Its body is kept: it must not change any more. */
  handleFrame(item: StreamFrame): void {
    if (item.epoch !== this.#epoch) this.#beginEpoch(item.epoch);
    if (isConfig(item.frame)) this.#configs.set(item.frame.kind, item);
    else this.#keep(item);
    const now = this.#nowMs();
    for (const reader of [...this.#readers]) reader.push(now, item);
  }

  /** Call about once a second. */
  handleTimeout(): void {
    const now = this.#nowMs();
    for (const reader of [...this.#readers]) reader.handleTimeout(now);
  }

  /**
   * The encoder's run is over: the page's readers end, so that it asks again; others wait for the
   * next run.
   */
  handleEnd(): void {
    this.#forget();
    for (const reader of [...this.#readers]) if (reader.page) reader.close();
  }

  close(): void {
    for (const reader of [...this.#readers]) reader.close();
  }

  #beginEpoch(epoch: number): void {
    if (this.#epoch !== undefined) this.handleEnd();
    this.#epoch = epoch;
  }

  #forget(): void {
    this.#configs.clear();
    this.#forgetGroup();
  }

  #forgetGroup(): void {
    this.#group = [];
    this.#groupBytes = 0;
    this.#hasKey = false;
  }

  #keep(item: StreamFrame): void {
    const { frame } = item;
    if (frame.kind === FrameKind.key) {
      this.#forgetGroup();
      this.#hasKey = true;
    } else if (!this.#hasKey) {
      if (frame.kind !== FrameKind.audio || this.#configs.has(FrameKind.videoConfig)) return;
      this.#dropOldAudio(frame.dtsMs);
    }
    this.#group.push(item);
    this.#groupBytes += frame.body.length;
    if (this.#groupBytes > GROUP_BYTES_MAX) this.#forgetGroup();
  }

  #dropOldAudio(dtsMs: number): void {
    const keepFrom = this.#group.findIndex(
      ({ frame }) => serialDiff(dtsMs, frame.dtsMs) <= AUDIO_KEPT_MS,
    );
    const dropped = this.#group.splice(0, keepFrom === -1 ? this.#group.length : keepFrom);
    for (const { frame } of dropped) this.#groupBytes -= frame.body.length;
  }
}

function isConfig(frame: MediaFrame): boolean {
  return frame.kind <= FrameKind.metadata;
}
