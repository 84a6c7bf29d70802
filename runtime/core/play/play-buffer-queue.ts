/**
 * Whole segments that wait for their time, in order: when the first of them comes out, and where
 * play-out can start.
 */
import { serialDiff } from "../../base/serial.ts";
import { type Ms, ms, NEVER } from "../../base/time.ts";
import { FrameKind } from "../../wire/frame.ts";
import type { SegmentHeader } from "../../wire/segment.ts";
import type { PlayTimeline } from "./play-buffer-timeline.ts";

export interface Waiting {
  readonly first: number;
  /** One past its last fragment. */
  readonly end: number;
  readonly isGroupStart: boolean;
  /** It came in the start burst. */
  readonly isBurst: boolean;
  readonly header: SegmentHeader;
  /** See `PlayTimeline.mediaOf`. */
  readonly media: number;
  readonly wholeAt: Ms;
}

/**
 * Late frames, and those of the start burst, wait this long for what is missing before them:
 * handing them on without it would damage the rest of the group to save little.
 */
const LATE_WAIT_MS = 400;

export class PlayQueue {
  readonly #timeline: PlayTimeline;
  readonly #items: Waiting[] = [];

  constructor(timeline: PlayTimeline) {
    this.#timeline = timeline;
  }

  get head(): Waiting | undefined {
    return this.#items[0];
  }

  /** Media time of the segment that waits before fragment `first`; NaN when there is none. */
  mediaBefore(first: number): number {
    return this.#items[this.#placeOf(first) - 1]?.media ?? Number.NaN;
  }

  add(waiting: Waiting): void {
    this.#items.splice(this.#placeOf(waiting.first), 0, waiting);
  }

  /** Forgets segments that begin before fragment `number`. */
  dropBefore(number: number): void {
    while (serialDiff(this.#items[0]?.first ?? number, number) < 0) this.#items.shift();
  }

  shift(): Waiting | undefined {
    return this.#items.shift();
  }

  /**
   * When the head comes out if play-out stands at fragment `cursor`: at its due time (if late, at
   * once) when nothing is missing before it, else when it, or something behind it, can wait for
   * that no longer, and not before `gapUntil`. `NEVER` when empty.
   */
  readyAt(cursor: number, gapUntil: Ms): Ms {
    const head = this.#items[0];
    if (head === undefined) return NEVER;
    const due = this.#timeline.playAt(head.media);
    if (serialDiff(head.first, cursor) <= 0) return head.wholeAt > due ? head.wholeAt : due;
    let earliest = NEVER;
    for (const { media, wholeAt, isBurst } of this.#items) {
      const playAt = this.#timeline.playAt(media);
      const canWait = isBurst || wholeAt > playAt;
      const waitsUntil = canWait ? ms(Math.max(playAt, wholeAt + LATE_WAIT_MS)) : playAt;
      if (waitsUntil < earliest) earliest = waitsUntil;
      if (!canWait) break; /* what follows is not due before it */
    }
    return earliest > gapUntil ? earliest : gapUntil;
  }

  /**
   * Makes the group to start with the head, and returns its play time: the newest that is due at
   * `now`, else the oldest. Its configurations and its first frame must be whole. `NEVER` when
   * there is none.
   */
  seekGroup(now: Ms): Ms {
    let chosen = -1;
    for (let i = 0; i < this.#items.length; i++) {
      const { isGroupStart, media } = this.#items[i] as Waiting;
      if (!isGroupStart || !this.#canOpen(i)) continue;
      if (chosen < 0 || this.#timeline.playAt(media) <= now) chosen = i;
    }
    if (chosen < 0) return NEVER;
    const playAt = this.#timeline.playAt((this.#items[chosen] as Waiting).media);
    if (playAt <= now) this.#items.splice(0, chosen);
    return playAt;
  }

  /**
   * Media time up to which all is whole, from fragment `cursor` on; −Infinity when it waits there.
   */
  mediaWhole(cursor: number): number {
    let next = cursor;
    let media = Number.NEGATIVE_INFINITY;
    for (const waiting of this.#items) {
      if (waiting.first !== next) break;
      next = waiting.end;
      media = waiting.media;
    }
    return media;
  }

  #canOpen(at: number): boolean {
    for (let i = at; i < this.#items.length; i++) {
      const { header, first } = this.#items[i] as Waiting;
      if (i > at && first !== (this.#items[i - 1] as Waiting).end) return false;
      if (header.kind === FrameKind.key || header.kind === FrameKind.audio) return true;
      if (header.kind > FrameKind.metadata) return false;
    }
    return false;
  }

  #placeOf(first: number): number {
    let at = this.#items.length;
    while (at > 0 && serialDiff((this.#items[at - 1] as Waiting).first, first) > 0) at--;
    return at;
  }
}
