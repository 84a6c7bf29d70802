/**
 * A stream that begins at this node: frames from an encoder become segments, are kept (the last seconds and the current
 * group) and described to whoever sends them on. Used by the publisher and by an edge with an encoder of its own.
 */
import { serialDiff } from "../../base/serial.ts";
import type { Ms } from "../../base/time.ts";
import { type HotPath, Inserted, MAX_BODY_BYTES } from "../../core/hot-path/hot-path.ts";
import { type CutSegment, SegmentCutter } from "../../core/segments/segment-cutter.ts";
import { SegmentIndex, type SegmentIndexOptions } from "../../core/segments/segment-index.ts";
import { type QueuedSegment, SendClass } from "../../core/sending/send-queue.ts";
import { CaptureClock } from "../../core/time/clock-estimate.ts";
import type { MediaFrame } from "../../wire/frame.ts";
import { fragmentsOf, Phase, SEGMENT_HEADER_BYTES, withPhase } from "../../wire/segment.ts";
import type { StreamIdentity } from "../intake.ts";

export class OwnStream {
  readonly stream: StreamIdentity;
  readonly index: SegmentIndex;
  readonly clock = new CaptureClock();
  readonly #hot: HotPath;
  readonly #cutter: SegmentCutter;
  readonly #place = { number: 0, index: 0, total: 0, flags: 0 };

  constructor(hot: HotPath, stream: StreamIdentity, options: SegmentIndexOptions) {
    this.#hot = hot;
    this.stream = stream;
    this.#cutter = new SegmentCutter(hot);
    this.index = new SegmentIndex(hot, { ...options, clock: this.clock });
  }

  /** Frames lost because memory was full. */
  get framesLost(): number {
    return this.#cutter.framesLost;
  }

  /**
   * Takes a frame captured at `now` and gives the segments it makes, to be sent: stream index, deadline and class are
   * the caller's to fill in.
   */
  push(now: Ms, frame: MediaFrame): QueuedSegment[] {
    if (!this.clock.ready) this.clock.setLocal(now);
    this.index.evict(now);
    return this.#cutter.cut(now, frame).map((cut) => this.#file(now, cut));
  }

  #file(now: Ms, cut: CutSegment): QueuedSegment {
    const place = this.#place;
    place.total = cut.total;
    place.flags = cut.flags;
    for (let i = 0; i < cut.total; i++) {
      const slot = cut.slots[i] as number;
      place.number = (cut.first + i) >>> 0;
      place.index = i;
      const result = this.index.insert(now, place, slot);
      this.#hot.payloadRelease(slot);
      if (result !== Inserted.fresh && result !== Inserted.completed) {
        throw new Error(`own stream: fragment ${place.number} refused with ${result}`);
      }
    }
    const { sequence, dependsOn } = cut.header;
    return queued(cut.first, cut.total, cut.lastBytes, cut.flags, sequence, dependsOn);
  }

  /** The segments of the current group, for a receiver that begins now. */
  *currentGroup(): Generator<QueuedSegment> {
    for (const segment of this.index.segmentsFrom(this.index.groupStart())) {
      const { first, total, header } = segment;
      if (header === undefined || serialDiff(this.index.next(), first) <= 0) continue;
      const bytes = SEGMENT_HEADER_BYTES + header.size;
      const lastBytes = bytes - (fragmentsOf(header.size) - 1) * MAX_BODY_BYTES;
      const flags = withPhase(segment.flags, Phase.start);
      yield queued(first, total, lastBytes, flags, header.sequence, header.dependsOn);
    }
  }

  close(): void {
    this.index.close();
  }
}

function queued(
  first: number,
  total: number,
  lastBytes: number,
  flags: number,
  sequence: number,
  dependsOn: number,
): QueuedSegment {
  return {
    stream: 0,
    first,
    total,
    fragmentBytes: MAX_BODY_BYTES,
    lastBytes,
    flags,
    sequence,
    dependsOn,
    deadlineMs: 0,
    sendClass: SendClass.push,
    subStreams: 1,
    mask: 1,
  };
}
