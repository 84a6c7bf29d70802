/**
 * A stream as somebody inside the edge looks at it: whole frames for local watchers (HTTP-FLV and the like) while there
 * are any, and how much of it is kept.
 */
import type { Ms } from "../../base/time.ts";
import type { SegmentIndex } from "../../core/segments/segment-index.ts";
import type { EdgeEvent } from "../api.ts";
import { FrameReader } from "../frame-reader.ts";
import type { EpochSource } from "../intake.ts";

export class EdgeWatch {
  readonly #emit: (event: EdgeEvent) => void;
  #source: EpochSource | undefined;
  #reader: FrameReader | undefined;
  /** Watchers there are. */
  count = 0;

  constructor(emit: (event: EdgeEvent) => void) {
    this.#emit = emit;
  }

  begin(source: EpochSource): void {
    this.#source = source;
    this.#reader = new FrameReader(source.index);
  }

  end(): void {
    this.#source = undefined;
    this.#reader = undefined;
  }

  /** Emits the frames that have become whole. */
  read(now: Ms): void {
    const source = this.#source;
    if (this.#reader === undefined || source === undefined) return;
    if (this.count === 0) {
      this.#reader.skipTo(source.index.next());
      return;
    }
    const { name: stream, epoch } = source.stream;
    this.#reader.read(now, (frame, groupStart) => {
      this.#emit({ type: "frame", stream, epoch, frame, groupStart });
    });
  }
}

/** How long ago the current group began. */
export function groupMs(index: SegmentIndex, now: Ms): number {
  return index.isEmpty ? 0 : Math.max(0, index.ageOf(index.groupStart(), now));
}

/** Media bytes of the segments kept. */
export function keptBytes(index: SegmentIndex): number {
  let bytes = 0;
  for (const segment of index.segmentsFrom(index.oldest())) bytes += segment.header?.size ?? 0;
  return bytes;
}
