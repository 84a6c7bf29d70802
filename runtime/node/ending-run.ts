/**
 * A run of the encoder that is over, while its last frames are still on their way to the receivers: what was queued is
 * sent, what was lost is repaired, and then everything is given back.
 */
import type { Ms } from "../base/time.ts";
import type { Session } from "../core/session/session.ts";
import type { EpochSource } from "./intake.ts";

export class EndingRun {
  readonly #source: EpochSource;
  /** Sessions that know the run, and under which stream index. */
  readonly #bound: readonly (readonly [Session, number])[];
  readonly #until: number;

  constructor(source: EpochSource, bound: readonly (readonly [Session, number])[], until: number) {
    this.#source = source;
    this.#bound = bound;
    this.#until = until;
  }

  isOver(now: Ms): boolean {
    return now >= this.#until;
  }

  release(): void {
    for (const [session, index] of this.#bound) {
      if (!session.isOpen) continue;
      session.queue.dropStream(index);
      session.sources.delete(index);
    }
    this.#source.close();
  }
}
