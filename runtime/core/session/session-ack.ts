/**
 * When a session acknowledges: at once on a gap, after so many packets, or a while after the first. While the path
 * loses packets each ACK is said again, since on a thin stream the next one may be a frame away. Where the receiver
 * repairs, a gap is no news to hurry with. Feedback that can wait travels with an ACK. The session is one of
 * these, not the owner of one: a node looks at thousands of them, and each object apart is one more to fetch.
 */
import { type Ms, ms, NEVER } from "../../base/time.ts";
import type { FeedbackEntry } from "../../wire/feedback.ts";
import { ACK_FAST, ACK_HASTE_MS, ACK_REPEATS, type AckProfile } from "./session-types.ts";

const NO_ENTRIES: readonly FeedbackEntry[] = [];

export class AckTiming {
  /** When the next ACK is due. */
  ackDueAt: Ms = NEVER;
  readonly ackProfile: AckProfile;
  /** Until then the path counts as lossy. */
  #lossyUntil = 0;
  #repeatsLeft = 0;
  #ackSentAt = 0;
  #feedback: { until: Ms; entries: readonly FeedbackEntry[] } | undefined;

  constructor(profile: AckProfile) {
    this.ackProfile = profile;
  }

  /** A packet came a second time, or too late: its ACK may have been lost. */
  noteOld(now: Ms): void {
    if (this.ackDueAt === NEVER) this.ackDueAt = ms(now + this.ackProfile.delayMs);
  }

  /** A packet came; `pending` are not acknowledged yet, this one included. */
  noteFresh(now: Ms, isGap: boolean, pending: number, isControl: boolean): void {
    const { repairs, everyPackets, delayMs, repeatForMs } = this.ackProfile;
    const isUrgent = isGap && repairs === "sender";
    if (isUrgent) this.#lossyUntil = now + repeatForMs;
    this.#repeatsLeft = isUrgent || now < this.#lossyUntil ? ACK_REPEATS : 0;
    if (isUrgent || pending >= everyPackets) this.ackDueAt = now;
    else if (isControl) this.ackDueAt = ms(Math.min(this.ackDueAt, now + ACK_FAST.delayMs));
    else if (this.ackDueAt === NEVER) this.ackDueAt = ms(now + delayMs);
  }

  /** An ACK goes out now. */
  noteAckSent(now: Ms): void {
    this.#ackSentAt = now;
    this.ackDueAt = this.#repeatsLeft > 0 ? ms(now + this.ackProfile.delayMs) : NEVER;
    if (this.#repeatsLeft > 0) this.#repeatsLeft--;
  }

  /** What waits to be acknowledged is worth telling soon, though not each packet of its kind. */
  hastenAck(now: Ms): void {
    const at = Math.max(now, this.#ackSentAt + ACK_HASTE_MS);
    if (this.ackDueAt !== NEVER) this.ackDueAt = ms(Math.min(this.ackDueAt, at));
  }

  /** What waits for an ACK leaves alone then. */
  get feedbackDueAt(): Ms {
    return this.#feedback?.until ?? NEVER;
  }

  /** Takes the place of what waits already; the earlier of both times holds. */
  holdFeedback(until: Ms, entries: readonly FeedbackEntry[]): void {
    this.#feedback = { until: ms(Math.min(this.feedbackDueAt, until)), entries };
  }

  /** What waits, for the packet that leaves now. */
  takeFeedback(): readonly FeedbackEntry[] {
    const entries = this.#feedback?.entries ?? NO_ENTRIES;
    this.#feedback = undefined;
    return entries;
  }
}
