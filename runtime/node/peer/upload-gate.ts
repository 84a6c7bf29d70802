/**
 * What a viewer's uplink is never filled beyond: answers to others' requests are refused while it uploads as much as it
 * may of what its uplink was seen to bear. Pushes are kept below that by the edge (docs/SWARM.md); the viewer's own
 * requests and acknowledgements come first anyhow (core/sending/uplink.ts).
 */
import type { Ms } from "../../base/time.ts";
import type { Uplink } from "../../core/sending/uplink.ts";
import type { AnswerGate } from "../edge/outlet-answers.ts";
import { Judgement } from "../edge-swarm/compensation.ts";
import type { RateMeter } from "../rate-meter.ts";

/** Who was refused may ask again after this, ms. */
const RETRY_MS = 500;

export class UploadGate implements AnswerGate {
  readonly #uplink: Pick<Uplink, "isLimited" | "rateBps">;
  readonly #uploaded: Pick<RateMeter, "bytesPerSecond">;
  readonly #share: number;

  /** `uploaded`: all media sent to others; `share` of the uplink, 0..1. */
  constructor(
    uplink: Pick<Uplink, "isLimited" | "rateBps">,
    uploaded: Pick<RateMeter, "bytesPerSecond">,
    share: number,
  ) {
    this.#uplink = uplink;
    this.#uploaded = uploaded;
    this.#share = share;
  }

  judge(now: Ms): Judgement {
    if (!this.#uplink.isLimited) return Judgement.serve;
    const uploadBps = this.#uploaded.bytesPerSecond(now) * 8;
    const isFull = uploadBps > this.#share * this.#uplink.rateBps;
    return isFull ? Judgement.refuse : Judgement.serve;
  }

  takeRetryMs(): number {
    return RETRY_MS;
  }

  waitMs(): number {
    return RETRY_MS;
  }
}
