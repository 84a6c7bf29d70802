/**
 * Whole frames of a stream, in order, as soon as they are there: what an edge hands to readers that know nothing of
 * play buffers (HTTP-FLV). A hole is waited for a moment, then stepped over.
 */
import { serialAfter, serialDiff } from "../base/serial.ts";
import { type Ms, NEVER } from "../base/time.ts";
import type { Segment, SegmentIndex } from "../core/segments/segment-index.ts";
import type { MediaFrame } from "../wire/frame.ts";

/** How long a hole may hold up the frames behind it. */
const HOLE_MS = 1000;

export class FrameReader {
  readonly #index: SegmentIndex;
  #next: number;
  #waitingSince: Ms = NEVER;
  framesSkipped = 0;

  constructor(index: SegmentIndex) {
    this.#index = index;
    this.#next = index.next();
  }

  /** Goes on at fragment `number` if that lies ahead. */
  skipTo(number: number): void {
    if (serialAfter(number, this.#next)) this.#next = number;
    this.#waitingSince = NEVER;
  }

  /** Hands every frame that is due to `take`. */
  read(now: Ms, take: (frame: MediaFrame, groupStart: boolean) => void): void {
    const index = this.#index;
    if (serialDiff(index.oldest(), this.#next) > 0) this.#next = index.oldest();
    while (serialAfter(index.next(), this.#next)) {
      const segment = index.segmentOf(this.#next);
      const frame = segment === undefined ? undefined : frameOf(index, segment);
      if (segment === undefined || frame === undefined) {
        if (!this.#stepOver(now, segment)) return;
        continue;
      }
      this.#waitingSince = NEVER;
      this.#next = (segment.first + segment.total) >>> 0;
      take(frame, segment.isGroupStart);
    }
  }

  /** Past what is missing at `#next`, once it has been waited for. */
  #stepOver(now: Ms, segment: Segment | undefined): boolean {
    if (this.#waitingSince === NEVER) this.#waitingSince = now;
    if (now - this.#waitingSince < HOLE_MS) return false;
    this.#waitingSince = NEVER;
    this.framesSkipped++;
    if (segment !== undefined) {
      this.#next = (segment.first + segment.total) >>> 0;
      return true;
    }
    for (const later of this.#index.segmentsFrom(this.#next)) {
      this.#next = later.first;
      return true;
    }
    this.#next = this.#index.next();
    return true;
  }
}

/** The whole frames of the current group, configurations first. */
export function groupFrames(index: SegmentIndex): MediaFrame[] {
  const frames: MediaFrame[] = [];
  for (const segment of index.segmentsFrom(index.groupStart())) {
    const frame = frameOf(index, segment);
    if (frame !== undefined) frames.push(frame);
  }
  return frames;
}

function frameOf(index: SegmentIndex, segment: Segment): MediaFrame | undefined {
  const header = segment.header;
  if (header === undefined || segment.wholeAt === NEVER) return undefined;
  const body = index.takeBody(segment.first);
  if (body === undefined) return undefined;
  const { kind, dtsMs, ptsOffsetMs } = header;
  return { kind, dtsMs, ptsOffsetMs, body };
}
