/**
 * The one place that reads the operating system's clock. Everything else is handed a `Clock` or a
 * time.
 */
import { type Ms, ms } from "../base/time.ts";

export interface Clock {
  /** Milliseconds since an arbitrary zero; never goes back, not even when the wall clock does. */
  now(): Ms;
}

export const systemClock: Clock = { now: () => ms(performance.now()) };
