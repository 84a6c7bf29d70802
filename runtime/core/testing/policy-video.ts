/**
 * A synthetic live stream for tests of the sending policy, and the book of what of it arrived in time: frames, with the
 * references they need, within a deadline after capture.
 */
import { type Ms, ms } from "../../base/time.ts";
import { MAX_BODY_BYTES } from "../hot-path/hot-path.ts";
import { Priority, type QueuedSegment, SendClass } from "../sending/send-queue.ts";
import type { VirtualClock } from "./bottleneck.ts";

export interface VideoOptions {
  readonly bitsPerSecond: number;
  readonly framesPerSecond: number;
  readonly groupFrames: number;
  /** Key frame's size against the mean of the others. */
  readonly keyFactor: number;
  /** Disposable frames between two references, and their size against a reference's. */
  readonly disposable?: number;
  readonly disposableFactor?: number;
  readonly deadlineMs: number;
  /** 64 kbit/s of audio, 47 frames a second. */
  readonly audio?: boolean;
}

export interface Frame {
  readonly first: number;
  readonly total: number;
  readonly priority: number;
  readonly sequence: number;
  readonly dependsOn: number;
  readonly capturedAt: number;
  readonly bytes: number;
  missing: number;
  /** When its last fragment came; NaN before. */
  wholeAt: number;
}

const HEAD_BYTES = 23;

export class Video {
  readonly frames: Frame[] = [];
  readonly #options: VideoOptions;
  readonly #clock: VirtualClock;
  readonly #stream: number;
  readonly #frameOf: number[] = [];
  readonly #seen = new Set<number>();
  #next = 0;
  #sequence = 0;
  #picture = 0;
  #lastReference = 0;
  duplicates = 0;

  constructor(clock: VirtualClock, options: VideoOptions, stream = 1) {
    this.#clock = clock;
    this.#options = options;
    this.#stream = stream;
  }

  /** Makes frames from `from` to `until`, each handed to `send` when it is captured. */
  start(from: number, until: number, send: (now: Ms, segment: QueuedSegment) => void): void {
    const step = 1000 / this.#options.framesPerSecond;
    for (let at = from, i = 0; at < until; at = from + ++i * step) {
      this.#clock.at(at, () => this.#picturedNow(send));
    }
    if (this.#options.audio !== true) return;
    const audioStep = 1024 / 48;
    for (let at = from, i = 0; at < until; at = from + ++i * audioStep) {
      this.#clock.at(at, () => this.#emit(Priority.audio, 170 + HEAD_BYTES, 0, send));
    }
  }

  #picturedNow(send: (now: Ms, segment: QueuedSegment) => void): void {
    const o = this.#options;
    const at = this.#picture++ % o.groupFrames;
    const cycle = (o.disposable ?? 0) + 1;
    const isDisposable = at > 0 && (at - 1) % cycle !== 0;
    const factor =
      o.disposable === undefined ? 1 : (1 + o.disposable * (o.disposableFactor ?? 1)) / cycle;
    const mean = o.bitsPerSecond / 8 / o.framesPerSecond;
    const unit = (mean * o.groupFrames) / (o.keyFactor + o.groupFrames - 1) / factor;
    if (at === 0) this.#emit(Priority.key, unit * factor * o.keyFactor, 0, send);
    else if (isDisposable) {
      this.#emit(Priority.disposable, unit * (o.disposableFactor ?? 1), this.#lastReference, send);
    } else this.#emit(Priority.reference, unit, this.#lastReference, send);
  }

  #emit(
    priority: number,
    size: number,
    reference: number,
    send: (now: Ms, segment: QueuedSegment) => void,
  ): void {
    const bytes = Math.max(40, Math.round(size));
    const total = Math.ceil(bytes / MAX_BODY_BYTES);
    const sequence = this.#sequence++;
    const dependsOn = priority >= Priority.reference ? sequence - reference : 0;
    if (priority === Priority.key || priority === Priority.reference)
      this.#lastReference = sequence;
    const now = this.#clock.now;
    const first = this.#next;
    this.#next += total;
    const frame = {
      first,
      total,
      priority,
      sequence,
      dependsOn,
      capturedAt: now,
      bytes,
      missing: total,
      wholeAt: Number.NaN,
    };
    this.frames.push(frame);
    for (let i = 0; i < total; i++) this.#frameOf.push(sequence);
    send(now, {
      stream: this.#stream,
      first,
      total,
      fragmentBytes: MAX_BODY_BYTES,
      lastBytes: bytes - (total - 1) * MAX_BODY_BYTES,
      flags: priority,
      sequence,
      dependsOn,
      deadlineMs: ms(now + this.#options.deadlineMs),
      sendClass: SendClass.push,
      subStreams: 1,
      mask: 1,
    });
  }

  handleFragment(now: Ms, number: number): void {
    if (this.#seen.has(number)) {
      this.duplicates++;
      return;
    }
    this.#seen.add(number);
    const frame = this.frames[this.#frameOf[number] as number] as Frame;
    if (--frame.missing === 0) frame.wholeAt = now;
  }

  /** Pictures captured in [from, until): all, whole in time, and in time with all their references. */
  score(
    from: number,
    until: number,
    deadlineMs: number,
  ): { all: number; inTime: number; playable: number } {
    const playable = new Uint8Array(this.frames.length);
    const result = { all: 0, inTime: 0, playable: 0 };
    for (const frame of this.frames) {
      const isInTime = frame.wholeAt <= frame.capturedAt + deadlineMs;
      const hasReferences =
        frame.dependsOn === 0 || playable[frame.sequence - frame.dependsOn] === 1;
      if (isInTime && hasReferences) playable[frame.sequence] = 1;
      if (frame.priority < Priority.key) continue;
      if (frame.capturedAt < from || frame.capturedAt >= until) continue;
      result.all++;
      if (isInTime) result.inTime++;
      if (isInTime && hasReferences) result.playable++;
    }
    return result;
  }

  /** Audio frames captured in [from, until) that did not come in time, of all. */
  audioLate(from: number, until: number, deadlineMs: number): { all: number; late: number } {
    const result = { all: 0, late: 0 };
    for (const frame of this.frames) {
      if (frame.priority !== Priority.audio) continue;
      if (frame.capturedAt < from || frame.capturedAt >= until) continue;
      result.all++;
      if (!(frame.wholeAt <= frame.capturedAt + deadlineMs)) result.late++;
    }
    return result;
  }
}
