/**
 * Which queued frames to give up when not all can arrive in time. Frames are sent in the order they came, so each one's
 * arrival follows from the bytes before it and the rate. Configurations and audio never come here. Of the video, what is
 * kept is each group's decodable prefix: disposable frames go first, then the tail of a group that is over makes room
 * for the next one, and only then the frame itself that would be late, and with it all that needs it. A frame already
 * begun goes on unless it is hopeless itself.
 *
 * When the stream asks for more than the path carries, the queue at a key frame must leave room for what will pile up
 * behind it: the backlog before the key is cut down so far that its group's first frames, not its later ones, are safe
 * (dropping queued tail frames costs one frame each; a frame late in mid-group costs all that follow it).
 */
import type { OutgoingStream } from "./send-queue-stream.ts";
import type { Run } from "./send-queue-run.ts";

/** Timers, pacing and detection are no better than this. */
const LATE_MARGIN_MS = 5;
/** Share of the time budget that may always stand before a key frame, and that is never planned for. */
const RESERVE_SHARE_MIN = 0.05;
const PLAN_SHARE_MAX = 0.9;

export interface ShedPlan {
  /** Now plus the way to the receiver: when a byte sent now arrives, ms. */
  arrivalMs: number;
  bytesPerMs: number;
  /** Bytes that go before the first of the list. */
  bytesAhead: number;
}

/** Marks `isDoomed` what is not worth sending in `list` (in order of sending) and returns how many runs. */
export function shed(
  list: readonly Run[],
  plan: Readonly<ShedPlan>,
  streamOf: (stream: number) => OutgoingStream,
): number {
  let doomed = 0;
  let at = plan.arrivalMs + plan.bytesAhead / plan.bytesPerMs;
  for (let i = 0; i < list.length; i++) {
    const run = list[i] as Run;
    if (run.isDoomed) continue;
    const stream = streamOf(run.stream);
    if (!run.hasBegun && stream.isOrphan(run)) {
      doom(run, stream);
      doomed++;
      continue;
    }
    let tooMany = 0;
    if (run.isKey && !run.hasBegun) {
      tooMany = at - plan.arrivalMs - backlogMsMax(run, stream, plan);
    }
    const late = at + run.bytesLeft / plan.bytesPerMs - (run.deadlineMs - LATE_MARGIN_MS);
    if (tooMany > 0 || late > 0) {
      const freed = makeRoom(list, i, Math.max(tooMany, late), late > 0, plan, streamOf);
      doomed += freed.runs;
      at -= freed.bytes / plan.bytesPerMs;
      if (at + run.bytesLeft / plan.bytesPerMs > run.deadlineMs - LATE_MARGIN_MS) {
        doom(run, stream);
        doomed++;
        continue;
      }
    }
    at += run.bytesLeft / plan.bytesPerMs;
  }
  return doomed;
}

/** How long a queue may stand before this key frame so that its group still fits behind it. */
function backlogMsMax(key: Run, stream: OutgoingStream, plan: Readonly<ShedPlan>): number {
  const budgetMs = key.deadlineMs - plan.arrivalMs;
  const overloadShare = 1 - (plan.bytesPerMs * 8000) / Math.max(stream.groupBps, 1);
  if (stream.groupMs === 0 || overloadShare <= 0.01) return Number.POSITIVE_INFINITY;
  const growthMs = overloadShare * stream.groupMs;
  return Math.max(budgetMs * PLAN_SHARE_MAX - growthMs, budgetMs * RESERVE_SHARE_MIN);
}

const freed = { runs: 0, bytes: 0 };

/**
 * Dooms frames before list[at] until `needMs` is won: disposable ones, newest first, then the tails of earlier groups.
 * When `isVital` (list[at] is late otherwise) and that does not suffice, nothing is doomed in vain.
 */
function makeRoom(
  list: readonly Run[],
  at: number,
  needMs: number,
  isVital: boolean,
  plan: Readonly<ShedPlan>,
  streamOf: (stream: number) => OutgoingStream,
): typeof freed {
  const run = list[at] as Run;
  const needBytes = needMs * plan.bytesPerMs;
  freed.runs = 0;
  freed.bytes = 0;
  if (run.isDisposable) return freed;
  if (isVital && roomBefore(list, at, plan, run) < 0) return freed;
  const groupAt = groupStart(list, at);
  for (let i = at - 1; i >= 0 && freed.bytes < needBytes; i--) {
    const victim = list[i] as Run;
    if (isFree(victim, run) && victim.isDisposable) take(victim, streamOf);
  }
  for (let i = groupAt - 1; i >= 0 && freed.bytes < needBytes; i--) {
    const victim = list[i] as Run;
    if (isFree(victim, run)) take(victim, streamOf);
  }
  return freed;
}

/** How early list[at] would be, in bytes, if all that may be doomed before it were; negative = late even so. */
function roomBefore(
  list: readonly Run[],
  at: number,
  plan: Readonly<ShedPlan>,
  run: Run,
): number {
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

function take(victim: Run, streamOf: (stream: number) => OutgoingStream): void {
  doom(victim, streamOf(victim.stream));
  freed.runs++;
  freed.bytes += victim.bytesLeft;
}

function doom(run: Run, stream: OutgoingStream): void {
  run.isDoomed = true;
  stream.noteDropped(run);
}
