/**
 * When was the frame on the screen captured? The stream carries, ahead of each video frame, a
 * script tag with the frame's timestamps and its capture time (`onShoal`). The player's media time
 * begins at the first video frame's decoding time, so a presented frame is found again by `base +
 * mediaTime`, and its delay is display − capture.
 */

import type { CaptureMark } from "../capture-mark.ts";

/** Marks kept: 20 s at 60 frames per second. */
const MARKS_MAX = 1_200;
/** A presented time this near to a mark is that mark's frame, ms (the player rounds durations). */
const MATCH_MS = 12;
/** A presented time farther than this from every mark says nothing, ms. */
const REACH_MS = 1_000;

export class CaptureClock {
  #baseMs: number | undefined;
  #marks: CaptureMark[] = [];

  add(mark: CaptureMark): void {
    this.#baseMs ??= mark.dtsMs;
    this.#marks.push(mark);
    if (this.#marks.length > MARKS_MAX) this.#marks.splice(0, MARKS_MAX / 2);
  }

  /** A new player begins a new media time. */
  reset(): void {
    this.#baseMs = undefined;
    this.#marks = [];
  }

  /**
   * Capture time, ms since 1970, of the frame presented at `mediaTimeMs` of the player; undefined
   * when not known.
   */
  capturedAt(mediaTimeMs: number): number | undefined {
    if (this.#baseMs === undefined) return undefined;
    const ptsMs = this.#baseMs + mediaTimeMs;
    let best: CaptureMark | undefined;
    let bestDistance = REACH_MS;
    for (let i = this.#marks.length - 1; i >= 0; i--) {
      const mark = this.#marks[i] as CaptureMark;
      const distance = Math.abs(mark.ptsMs - ptsMs);
      if (distance < bestDistance) {
        best = mark;
        bestDistance = distance;
        if (distance <= MATCH_MS) break;
      }
    }
    if (best === undefined) return undefined;
    /* Between marks time runs evenly: capture times follow the frames' timestamps. */
    return bestDistance <= MATCH_MS
      ? best.capturedAtEpochMs
      : best.capturedAtEpochMs + ptsMs - best.ptsMs;
  }
}

/** Reads an `onShoal` script object; undefined when it is not one. */
export function parseCaptureMark(script: unknown): CaptureMark | undefined {
  const mark = (script as { onShoal?: Partial<CaptureMark> } | null)?.onShoal;
  if (typeof mark?.dtsMs !== "number" || typeof mark.capturedAtEpochMs !== "number")
    return undefined;
  const ptsMs = typeof mark.ptsMs === "number" ? mark.ptsMs : mark.dtsMs;
  return { dtsMs: mark.dtsMs, ptsMs, capturedAtEpochMs: mark.capturedAtEpochMs };
}
