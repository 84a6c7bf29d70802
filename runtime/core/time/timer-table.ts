/**
 * One object's timers: a few named reasons, each with at most one deadline, and their minimum.
 * Nothing fires by itself: the owner reports `next()` through its `pollTimeout` and asks for
 * `expired(now)` when it is woken. (The idea is quinn-proto's `timer.rs`.)
 */
import { type Ms, NEVER } from "../../base/time.ts";

export class TimerTable<Reason extends string> {
  readonly #reasons: Reason[] = [];
  readonly #deadlines: Ms[] = [];

  /** (Re)sets the deadline of `reason`; `NEVER` clears it. */
  set(reason: Reason, at: Ms): void {
    const i = this.#reasons.indexOf(reason);
    if (i >= 0) {
      this.#deadlines[i] = at;
    } else if (at !== NEVER) {
      this.#reasons.push(reason);
      this.#deadlines.push(at);
    }
  }

  /** Brings the deadline of `reason` forward to `at`; leaves an earlier one. */
  setEarlier(reason: Reason, at: Ms): void {
    if (at < this.at(reason)) this.set(reason, at);
  }

  clear(reason: Reason): void {
    const i = this.#reasons.indexOf(reason);
    if (i >= 0) this.#deadlines[i] = NEVER;
  }

  clearAll(): void {
    this.#deadlines.fill(NEVER);
  }

  /** The deadline of `reason`, `NEVER` when it is not set. */
  at(reason: Reason): Ms {
    return this.#deadlines[this.#reasons.indexOf(reason)] ?? NEVER;
  }

  /** The earliest deadline, `NEVER` when nothing is set. */
  next(): Ms {
    let earliest = NEVER;
    for (const at of this.#deadlines) if (at < earliest) earliest = at;
    return earliest;
  }

  /**
   * The reasons due at `now`, each cleared as it is handed out and at most once a call, so that one
   * that sets itself again to a time already past is heard of next time instead of for ever.
   */
  *expired(now: Ms): Generator<Reason, void, undefined> {
    for (let i = 0; i < this.#reasons.length; i++) {
      if ((this.#deadlines[i] as Ms) > now) continue;
      this.#deadlines[i] = NEVER;
      yield this.#reasons[i] as Reason;
    }
  }
}
