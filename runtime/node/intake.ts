/**
 * One epoch of one stream as a node holds it: the fragments that have come in, whatever session brought them, indexed
 * by segment, and the clock that tells their capture times. An edge passes on what comes in here; a peer plays it.
 */
import { ProtocolViolation } from "../base/errors.ts";
import { type Ms, ms, NEVER } from "../base/time.ts";
import { type HotPath, Inserted, Status } from "../core/hot-path/hot-path.ts";
import { SegmentIndex, type SegmentIndexOptions } from "../core/segments/segment-index.ts";
import type { Session, StreamSink } from "../core/session/session.ts";
import { CaptureClock } from "../core/time/clock-estimate.ts";
import type { FragmentHeader } from "../wire/packet.ts";
import { FLAG_RESENT, flagPhase } from "../wire/segment.ts";

/** One run of the encoder as an outlet sends it on. */
export interface EpochSource {
  readonly stream: StreamIdentity;
  readonly index: SegmentIndex;
  readonly clock: CaptureClock;
  close(): void;
}

/** Which stream, and which run of its encoder. */
export interface StreamIdentity {
  readonly name: string;
  /** 8 B */
  readonly id: Uint8Array;
  /** u32, rising with each start of the encoder. */
  readonly epoch: number;
}

export interface IntakeListener {
  /** A fragment that was missing is here. `header` is valid during the call. */
  handleFresh(now: Ms, intake: Intake, header: FragmentHeader, bytes: number, from: Session): void;
  /** The segment that begins with fragment `first` is whole. */
  handleWhole(now: Ms, intake: Intake, first: number): void;
}

/** A fragment this far ahead of the newest one cannot be of the same stream: over a minute at 10 Mbit/s. */
const JUMP_FRAGMENTS_MAX = 1 << 16;
/**
 * One so far ahead, half a second at 10 Mbit/s, is believed when a second one says the same: a single wrong number
 * from a peer would move the window away from all that is still to come.
 */
const LEAP_FRAGMENTS = 512;

export class Intake implements StreamSink {
  readonly stream: StreamIdentity;
  readonly index: SegmentIndex;
  readonly clock = new CaptureClock();
  readonly #hot: HotPath;
  readonly #listener: IntakeListener;
  /** Fragments taken by phase: pushed, pulled, compensated, start burst. */
  readonly fragmentsByPhase = [0, 0, 0, 0];
  readonly bytesByPhase = [0, 0, 0, 0];
  repaired = 0;
  duplicates = 0;
  /** Fragments lost: memory was full even after eviction, too far ahead to be believed, contradicting others. */
  refused = 0;
  /** The last fragment that leapt ahead and was not believed; −1 = none. */
  #leapt = -1;
  lastArrivalAt: Ms = ms(Number.NEGATIVE_INFINITY);

  constructor(
    hot: HotPath,
    stream: StreamIdentity,
    options: SegmentIndexOptions,
    listener: IntakeListener,
  ) {
    this.#hot = hot;
    this.stream = stream;
    this.index = new SegmentIndex(hot, { ...options, clock: this.clock });
    this.#listener = listener;
  }

  /** @throws ProtocolViolation when the fragment contradicts what is known. */
  handleFragment(
    now: Ms,
    session: Session,
    header: FragmentHeader,
    data: Uint8Array,
    at: number,
    end: number,
    given: number,
  ): void {
    const jump = (header.number - this.index.next()) | 0;
    if (jump > JUMP_FRAGMENTS_MAX && !this.index.isEmpty) {
      throw new ProtocolViolation("limit", `fragment ${header.number} is ${jump} ahead`);
    }
    const isLeap = session.isReceiverRepaired && jump > LEAP_FRAGMENTS && !this.index.isEmpty;
    if (isLeap && !this.#isConfirmed(header.number)) {
      this.refused++;
      return;
    }
    const slot = given === 0 ? this.#store(data, at, end) : given;
    if (slot <= 0) {
      this.refused++;
      return;
    }
    const bytes = end - at;
    const result = this.index.insert(now, header, slot);
    if (given === 0) this.#hot.payloadRelease(slot);
    if (result === Status.conflict) {
      this.#handleConflict(header);
      return;
    }
    if (result === Status.duplicate) this.duplicates++;
    if (result !== Inserted.fresh && result !== Inserted.completed) return;
    const phase = flagPhase(header.flags);
    this.fragmentsByPhase[phase] = (this.fragmentsByPhase[phase] ?? 0) + 1;
    this.bytesByPhase[phase] = (this.bytesByPhase[phase] ?? 0) + bytes;
    if ((header.flags & FLAG_RESENT) !== 0) this.repaired++;
    this.lastArrivalAt = now;
    const first = (header.number - header.index) >>> 0;
    this.#listener.handleFresh(now, this, header, bytes, session);
    if (result === Inserted.completed) this.#listener.handleWhole(now, this, first);
  }

  /**
   * What contradicts a segment that is whole is its sender's fault. Of one that is not, nobody knows who was wrong: it
   * is lost, not the session of whoever comes second.
   */
  #handleConflict({ number }: FragmentHeader): void {
    this.refused++;
    if ((this.index.segmentOf(number)?.wholeAt ?? NEVER) === NEVER) return;
    throw new ProtocolViolation("conflict", `fragment ${number} has changed its place`);
  }

  /** Whether the fragment before that leapt ahead said the same; the next one is held against this one. */
  #isConfirmed(number: number): boolean {
    const isNear = this.#leapt >= 0 && Math.abs((number - this.#leapt) | 0) <= LEAP_FRAGMENTS;
    this.#leapt = isNear ? -1 : number;
    return isNear;
  }

  /** This run as an outlet sends it on; closing that leaves the run itself alone. */
  asSource(): EpochSource {
    const { stream, index, clock } = this;
    return { stream, index, clock, close: () => {} };
  }

  close(): void {
    this.index.close();
  }

  /** A slot with a copy of the body, or a negative status. Oldest media makes room for newest. */
  #store(data: Uint8Array, at: number, end: number): number {
    let slot = this.#hot.payloadAlloc(end - at);
    if (slot === Status.full && this.index.evictOldest()) {
      slot = this.#hot.payloadAlloc(end - at);
    }
    if (slot > 0) this.#hot.bytes.set(data.subarray(at, end), this.#hot.payloadPtr(slot));
    return slot;
  }
}
