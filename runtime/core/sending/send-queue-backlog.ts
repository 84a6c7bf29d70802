/**
 * What one session has waiting: runs of fragments in four lists (small and vital pushes, video pushes, answers,
 * bursts), their bytes, and what was given up and must be told. It decides what is dropped, never when something is
 * sent.
 */
import type { Ms } from "../../base/time.ts";
import type { Run, RunPool } from "./send-queue-run.ts";
import { OutgoingStream } from "./send-queue-stream.ts";
import {
  BUNDLE_BODY_BYTES,
  BUNDLE_ENTRIES_MAX,
  BUNDLE_ENTRY_BYTES,
  Priority,
  SendClass,
  type SendItem,
  type SendPort,
} from "./send-queue-types.ts";
import { type ShedPlan, shed } from "./shedding.ts";

/** A fragment up to this size looks for company in its datagram. */
const BUNDLE_FRAGMENT_BYTES = 700;
/** Runs in one list; the oldest goes when more come. */
export const QUEUED_RUNS_MAX = 2048;

export class Backlog {
  /** Configurations, audio, metadata to push; then video; answers; bursts. */
  readonly vital: Run[] = [];
  readonly video: Run[] = [];
  readonly pull: Run[] = [];
  readonly burst: Run[] = [];
  vitalBytes = 0;
  videoBytes = 0;
  otherBytes = 0;
  segmentsDropped = 0;
  /**
   * The receiver gets only sub-streams from here, and the rest, and the repair of what is lost here, from others:
   * then each fragment counts by itself. Whole streams are thinned by whole frames, and what needs them.
   */
  takesParts = false;
  readonly #port: SendPort;
  readonly #pool: RunPool;
  #streams: OutgoingStream[] = [];
  /* A range given up and not yet told. */
  #goneStream = 0;
  #goneFirst = 0;
  #goneCount = 0;

  constructor(port: SendPort, pool: RunPool) {
    this.#port = port;
    this.#pool = pool;
  }

  get bytes(): number {
    return this.vitalBytes + this.videoBytes + this.otherBytes;
  }

  /** The list of the class that is sent from next; repairs have none. */
  listOf(sendClass: SendClass): Run[] | undefined {
    if (sendClass === SendClass.push) return this.vital.length > 0 ? this.vital : this.video;
    if (sendClass === SendClass.pull) return this.pull;
    return sendClass === SendClass.burst ? this.burst : undefined;
  }

  streamOf(stream: number): OutgoingStream {
    for (const each of this.#streams) if (each.stream === stream) return each;
    const added = new OutgoingStream(stream);
    this.#streams.push(added);
    return added;
  }

  /** Files a run at the end of its list. The caller sheds and tells what is gone. */
  add(now: Ms, run: Run): void {
    run.standsAlone = this.takesParts || run.priority < Priority.key;
    const list = this.#homeOf(run);
    this.#count(run, run.bytesLeft);
    if (list === this.video) {
      const stream = this.streamOf(run.stream);
      stream.noteOffered(now, run);
      if (run.isKey && run.next === 0) stream.noteKey();
      if (stream.isNewest(run)) run.hasBegun = true;
    }
    const last = list[list.length - 1];
    if (last?.extend(run) === true) return this.#pool.give(run);
    list.push(run);
    if (list.length > QUEUED_RUNS_MAX) this.drop(now, list);
  }

  #homeOf(run: Run): Run[] {
    if (run.sendClass === SendClass.pull) return this.pull;
    if (run.sendClass === SendClass.burst) return this.burst;
    return run.standsAlone ? this.vital : this.video;
  }

  /** The next fragment of the list's first run was sent or given up. */
  advance(list: Run[]): void {
    const run = list[0] as Run;
    const before = run.bytesLeft;
    run.advance();
    this.#count(run, run.bytesLeft - before);
    if (!run.isDone) return;
    list.shift();
    this.#pool.give(run);
  }

  /** Drops the list's first run. */
  drop(now: Ms, list: Run[]): void {
    this.#giveUp(now, list.shift() as Run);
  }

  /** Gives up the video that is not worth sending. */
  shed(now: Ms, plan: Readonly<ShedPlan>): void {
    shed(this.video, plan, (stream) => this.streamOf(stream));
    this.#sweep(this.video, (run) => {
      if (run.isDoomed) this.#giveUp(now, run);
      return run.isDoomed;
    });
  }

  /** The first video run cannot arrive in time, whatever is done. */
  doomFirst(): void {
    const run = this.video[0] as Run;
    run.isDoomed = true;
    this.streamOf(run.stream).noteDropped(run);
  }

  /** Takes out what the receiver has or wants no more; nobody need be told. */
  remove(isOut: (run: Run) => boolean): void {
    for (const list of [this.vital, this.video, this.pull, this.burst]) {
      this.#sweep(list, (run) => {
        if (!isOut(run)) return false;
        this.#count(run, -run.bytesLeft);
        this.#pool.give(run);
        return true;
      });
    }
  }

  forgetStream(stream: number): void {
    this.remove((run) => run.stream === stream);
    this.#streams = this.#streams.filter((each) => each.stream !== stream);
  }

  #sweep(list: Run[], isOut: (run: Run) => boolean): void {
    let kept = 0;
    for (let i = 0; i < list.length; i++) {
      const run = list[i] as Run;
      if (!isOut(run)) list[kept++] = run;
    }
    list.length = kept;
  }

  #count(run: Run, bytes: number): void {
    if (run.sendClass !== SendClass.push) this.otherBytes += bytes;
    else if (run.standsAlone) this.vitalBytes += bytes;
    else this.videoBytes += bytes;
  }

  /** The rest of a run that has left its list will not come. */
  #giveUp(now: Ms, run: Run): void {
    this.#count(run, -run.bytesLeft);
    this.segmentsDropped++;
    this.gone(now, run.stream, (run.first + run.next) >>> 0, run.end - run.next);
    run.isDoomed = true;
    this.#pool.give(run);
  }

  /** Adds to the range that is given up; ranges that do not touch are told one by one. */
  gone(now: Ms, stream: number, first: number, count: number): void {
    const isNext =
      this.#goneCount > 0 &&
      this.#goneStream === stream &&
      first === (this.#goneFirst + this.#goneCount) >>> 0;
    if (isNext) {
      this.#goneCount += count;
      return;
    }
    this.tellGone(now);
    this.#goneStream = stream;
    this.#goneFirst = first;
    this.#goneCount = count;
  }

  tellGone(now: Ms): void {
    const count = this.#goneCount;
    if (count === 0) return;
    this.#goneCount = 0;
    this.#port.sendGone(now, this.#goneStream, this.#goneFirst, count);
  }
}

/** Fills further items with small single fragments that follow in the list and fit; returns how many there are. */
export function gather(list: readonly Run[], first: Run, items: readonly SendItem[]): number {
  const firstBytes = first.bodyBytes(first.next);
  if (firstBytes > BUNDLE_FRAGMENT_BYTES) return 1;
  let room = BUNDLE_BODY_BYTES - BUNDLE_ENTRY_BYTES - firstBytes;
  let count = 1;
  while (count < BUNDLE_ENTRIES_MAX && count < list.length) {
    const run = list[count] as Run;
    const bytes = run.bodyBytes(run.next);
    if (!run.isSingle || bytes + BUNDLE_ENTRY_BYTES > room) break;
    run.fill(items[count] as SendItem);
    room -= bytes + BUNDLE_ENTRY_BYTES;
    count++;
  }
  return count;
}
