/**
 * When a session acknowledges: at once on a gap, after so many packets, or a while after the first. While the path
 * loses packets each ACK is said again, since on a thin stream the next one may be a frame away. The session is one of
 * these, not the owner of one: a node looks at thousands of them, and each object apart is one more to fetch.
 */
import { type Ms, ms, NEVER } from "../../base/time.ts";
import { ACK_FAST, ACK_REPEAT_FOR_MS, ACK_REPEATS, type AckProfile } from "./session-types.ts";

export class AckTiming {
  /** When the next ACK is due. */
  ackDueAt: Ms = NEVER;
  readonly ackProfile: AckProfile;
  /** Until then the path counts as lossy. */
  #lossyUntil = 0;
  #repeatsLeft = 0;

  constructor(profile: AckProfile) {
    this.ackProfile = profile;
  }

  /** A packet came a second time, or too late: its ACK may have been lost. */
  noteOld(now: Ms): void {
    if (this.ackDueAt === NEVER) this.ackDueAt = ms(now + this.ackProfile.delayMs);
  }

  /** A packet came; `pending` are not acknowledged yet, this one included. */
  noteFresh(now: Ms, isGap: boolean, pending: number, isControl: boolean): void {
    const { repairs, everyPackets, delayMs } = this.ackProfile;
    if (isGap) this.#lossyUntil = now + ACK_REPEAT_FOR_MS;
    this.#repeatsLeft = now < this.#lossyUntil && repairs === "sender" ? ACK_REPEATS : 0;
    if (isGap || pending >= everyPackets) this.ackDueAt = now;
    else if (isControl) this.ackDueAt = ms(Math.min(this.ackDueAt, now + ACK_FAST.delayMs));
    else if (this.ackDueAt === NEVER) this.ackDueAt = ms(now + delayMs);
  }

  /** An ACK goes out now. */
  noteAckSent(now: Ms): void {
    this.ackDueAt = this.#repeatsLeft > 0 ? ms(now + this.ackProfile.delayMs) : NEVER;
    if (this.#repeatsLeft > 0) this.#repeatsLeft--;
  }
}
