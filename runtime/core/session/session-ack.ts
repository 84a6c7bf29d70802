/**
 * When a session acknowledges: at once on a gap, after so many packets, or a while after the first. While the path
 * loses packets each ACK is said again, since on a thin stream the next one may be a frame away.
 */
import { type Ms, ms, NEVER } from "../../base/time.ts";
import { ACK_FAST, ACK_REPEAT_FOR_MS, ACK_REPEATS, type AckProfile } from "./session-types.ts";

export class AckTiming {
  dueAt: Ms = NEVER;
  readonly #profile: AckProfile;
  /** Until then the path counts as lossy. */
  #lossyUntil = 0;
  #repeatsLeft = 0;

  constructor(profile: AckProfile) {
    this.#profile = profile;
  }

  /** A packet came a second time, or too late: its ACK may have been lost. */
  handleOld(now: Ms): void {
    if (this.dueAt === NEVER) this.dueAt = ms(now + this.#profile.delayMs);
  }

  /** A packet came; `pending` are not acknowledged yet, this one included. */
  handleFresh(now: Ms, isGap: boolean, pending: number, isControl: boolean): void {
    const { repairs, everyPackets, delayMs } = this.#profile;
    if (isGap) this.#lossyUntil = now + ACK_REPEAT_FOR_MS;
    this.#repeatsLeft = now < this.#lossyUntil && repairs === "sender" ? ACK_REPEATS : 0;
    if (isGap || pending >= everyPackets) this.dueAt = now;
    else if (isControl) this.dueAt = ms(Math.min(this.dueAt, now + ACK_FAST.delayMs));
    else if (this.dueAt === NEVER) this.dueAt = ms(now + delayMs);
  }

  /** An ACK goes out now. */
  handleSent(now: Ms): void {
    this.dueAt = this.#repeatsLeft > 0 ? ms(now + this.#profile.delayMs) : NEVER;
    if (this.#repeatsLeft > 0) this.#repeatsLeft--;
  }
}
