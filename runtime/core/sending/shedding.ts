/**
 * Which queued frames to give up when not all can arrive in time. Frames are sent in the order they came, so each
 * one's arrival follows from the bytes before it and the rate. Configurations and audio never come here. Of the
 * video, what is kept is each group's decodable prefix: disposable frames go first, then the tail of a group that is
 * over makes room for the next one, and only then the frame itself that would be late, and with it all that needs it.
 * A frame already begun goes on unless it is hopeless itself.
 *
 * When the stream asks for more than the path carries, the queue at a key frame must leave room for what will pile up
 * behind it: the backlog before the key is cut down so far that its group's first frames, not its later ones, are
 * safe (dropping queued tail frames costs one frame each; a frame late in mid-group costs all that follow it).
 */

import type { Run } from "./send-queue-run.ts";
import type { OutgoingStream } from "./send-queue-stream.ts";

/** Timers, pacing and detection are no better than this. */
const LATE_MARGIN_MS = 5;
/** Share of the time budget that may always stand before a key frame, and that is never planned for. */
const RESERVE_SHARE_MIN = 0.05;
const PLAN_SHARE_MAX = 0.9;

/** Share of the time budget that disposable frames leave to references. */
const DISPOSABLE_RESERVE = 0.15;

export interface ShedPlan {
  /** Now plus the way to the receiver: when a byte sent now arrives, ms. */
  arrivalMs: number;
  bytesPerMs: number;
  /** Bytes that go before the first of the list. */
  bytesAhead: number;
}

/** Marks `isDoomed` what is not worth sending in `list`, which is in order of sending. */
export function shed(
  list: readonly Run[],
  plan: Readonly<ShedPlan>,
  streamOf: (stream: number) => OutgoingStream,
): void {
  let at = plan.arrivalMs + plan.bytesAhead / plan.bytesPerMs;
  for (let i = 0; i < list.length; i++) {
    const run = list[i] as Run;
    if (run.isDoomed) continue;
    const stream = streamOf(run.stream);
    if (!run.hasBegun && stream.isOrphan(run)) {
      doom(run, stream);
      continue;
    }
    let tooMany = 0;
    if (run.isKey && !run.hasBegun) {
      tooMany = at - plan.arrivalMs - backlogMsMax(run, stream, plan);
    }
    const late = at + run.bytesLeft / plan.bytesPerMs - latestMs(run, plan);
    if (tooMany > 0 || late > 0) {
      const needMs = Math.max(tooMany, late);
      at -= makeRoom(list, i, needMs, late > 0, plan, streamOf) / plan.bytesPerMs;
      if (at + run.bytesLeft / plan.bytesPerMs > latestMs(run, plan)) {
        doom(run, stream);
        continue;
      }
    }
    at += run.bytesLeft / plan.bytesPerMs;
  }
}

/** When a run must have arrived; a disposable one earlier, since the last of the time is kept for references. */
function latestMs(run: Run, plan: Readonly<ShedPlan>): number {
  const latest = run.deadlineMs - LATE_MARGIN_MS;
  if (!run.isDisposable || run.hasBegun) return latest;
  return latest - DISPOSABLE_RESERVE * (latest - plan.arrivalMs);
}

/** How long a queue may stand before this key frame so that its group still fits behind it. */
function backlogMsMax(key: Run, stream: OutgoingStream, plan: Readonly<ShedPlan>): number {
  const budgetMs = key.deadlineMs - plan.arrivalMs;
  const overloadShare = 1 - (plan.bytesPerMs * 8000) / Math.max(stream.groupBps, 1);
  if (stream.groupMs === 0 || overloadShare <= 0.01) return Number.POSITIVE_INFINITY;
  const growthMs = overloadShare * stream.groupMs;
  return Math.max(budgetMs * PLAN_SHARE_MAX - growthMs, budgetMs * RESERVE_SHARE_MIN);
}

/**
 * Dooms frames before list[at] until `needMs` is won: disposable ones, newest first, then the tails of earlier groups.
 * When `isVital` (list[at] is late otherwise) and that does not suffice, nothing is doomed in vain. Returns bytes won.
 */
function makeRoom(
  list: readonly Run[],
  at: number,
  needMs: number,
  isVital: boolean,
  plan: Readonly<ShedPlan>,
  streamOf: (stream: number) => OutgoingStream,
): number {
  const run = list[at] as Run;
  const needBytes = needMs * plan.bytesPerMs;
  if (run.isDisposable) return 0;
  if (isVital && roomBefore(list, at, plan, run) < 0) return 0;
  const groupAt = groupStart(list, at);
  let bytes = 0;
  for (const onlyDisposable of [true, false]) {
    for (let i = (onlyDisposable ? at : groupAt) - 1; i >= 0 && bytes < needBytes; i--) {
      const victim = list[i] as Run;
      if (!isFree(victim, run) || (onlyDisposable && !victim.isDisposable)) continue;
      doom(victim, streamOf(victim.stream));
      bytes += victim.bytesLeft;
    }
  }
  return bytes;
}

/** How early list[at] would be, in bytes, if all that may be doomed before it were; negative = late even so. */
function roomBefore(list: readonly Run[], at: number, plan: Readonly<ShedPlan>, run: Run): number {
  const groupAt = groupStart(list, at);
  let bytes = plan.bytesAhead + run.bytesLeft;
  for (let i = 0; i < at; i++) {
    const other = list[i] as Run;
    const goes = isFree(other, run) && (other.isDisposable || i < groupAt);
    if (!other.isDoomed && !goes) bytes += other.bytesLeft;
  }
  return (run.deadlineMs - LATE_MARGIN_MS - plan.arrivalMs) * plan.bytesPerMs - bytes;
}

/** Where the group of list[at] begins in the list: its key frame, or 0 when that has been sent. */
function groupStart(list: readonly Run[], at: number): number {
  const stream = (list[at] as Run).stream;
  for (let i = at; i >= 0; i--) {
    const run = list[i] as Run;
    if (run.isKey && run.stream === stream && !run.isDoomed) return i;
  }
  return 0;
}

function isFree(victim: Run, run: Run): boolean {
  return !victim.isDoomed && !victim.hasBegun && victim.stream === run.stream;
}

function doom(run: Run, stream: OutgoingStream): void {
  run.isDoomed = true;
  stream.noteDropped(run);
}
