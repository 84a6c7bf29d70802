/**
 * One direction of a link: a rate with a byte queue before it, loss, delay. A packet comes out at a
 * time, twice, damaged, or not at all. Each direction is a `Link` of its own with its own state;
 * access links belong to a host, paths to a pair of regions. What a model leaves out does not
 * happen.
 */
import type { Prng } from "../../base/prng.ts";

/**
 * No loss at random; each packet by itself; or in bursts (Gilbert 1960, Elliott 1963), stepping
 * once a packet.
 */
export type LossModel =
  | { readonly kind: "none" }
  | { readonly kind: "iid"; readonly rate: number }
  | {
      readonly kind: "bursts";
      /**
       * Chances per packet to go from good to bad and back. Mean burst = 1 / `badToGood` packets.
       */
      readonly goodToBad: number;
      readonly badToGood: number;
      /** Loss in each state. */
      readonly goodLoss: number;
      readonly badLoss: number;
    };

export interface LinkModel {
  /** One way, ms. */
  readonly delayMs: number;
  /** Mean of the exponential extra delay of each packet, ms; at most ten times that. */
  readonly jitterMs: number;
  /**
   * Packets come out in the order they went in, as they do from one queue; without it jitter
   * reorders.
   */
  readonly keepsOrder: boolean;
  readonly loss: LossModel;
  /** Share of packets held back by up to `reorderMs`, out of any order. */
  readonly reorderRate: number;
  readonly reorderMs: number;
  /** Shares of packets that come twice, and with flipped bits or cut short. */
  readonly duplicateRate: number;
  readonly corruptRate: number;
  /** Bit/s of IP bytes; 0 = no limit. */
  readonly rateBps: number;
  /** Bytes that may wait for the rate; what finds no room is dropped. */
  readonly queueBytes: number;
  /** Spans of world time in which nothing passes, ms, from inclusive, until exclusive. */
  readonly outages: readonly { readonly fromMs: number; readonly untilMs: number }[];
}

export const IDEAL: LinkModel = {
  delayMs: 0,
  jitterMs: 0,
  keepsOrder: false,
  loss: { kind: "none" },
  reorderRate: 0,
  reorderMs: 0,
  duplicateRate: 0,
  corruptRate: 0,
  rateBps: 0,
  queueBytes: 0,
  outages: [],
};

export interface LinkCounters {
  packetsOffered: number;
  bytesOffered: number;
  /** Lost at random, dropped by a full queue, swallowed by an outage. */
  packetsLost: number;
  packetsDropped: number;
  packetsOut: number;
  packetsPassed: number;
  bytesPassed: number;
  packetsDuplicated: number;
  packetsCorrupted: number;
}

const JITTER_MAX = 10;
/** bit/s in a byte/ms. */
const BPS_PER_BYTE_MS = 8000;

/** What every packet looks at stands in the link itself, not in objects that hang from it. */
export class Link {
  #packetsOffered = 0;
  #bytesOffered = 0;
  #packetsLost = 0;
  #packetsDropped = 0;
  #packetsOut = 0;
  #packetsPassed = 0;
  #bytesPassed = 0;
  #packetsDuplicated = 0;
  #packetsCorrupted = 0;
  #model: LinkModel;
  #bytesPerMs = 0;
  #busyUntilMs = 0;
  #lastOutMs = 0;
  #isBad = false;
  /* Of the model. */
  #delayMs = 0;
  #jitterMs = 0;
  #keepsOrder = false;
  #queueBytes = 0;
  #isLossy = false;
  /** Of each packet by itself. */
  #lossRate = 0;
  #reorderRate = 0;
  #duplicateRate = 0;
  #corruptRate = 0;
  #hasOutages = false;

  constructor(model: LinkModel) {
    this.#model = model;
    this.configure(model);
  }

  get model(): LinkModel {
    return this.#model;
  }

  /** As they stand now. */
  get counters(): LinkCounters {
    return {
      packetsOffered: this.#packetsOffered,
      bytesOffered: this.#bytesOffered,
      packetsLost: this.#packetsLost,
      packetsDropped: this.#packetsDropped,
      packetsOut: this.#packetsOut,
      packetsPassed: this.#packetsPassed,
      bytesPassed: this.#bytesPassed,
      packetsDuplicated: this.#packetsDuplicated,
      packetsCorrupted: this.#packetsCorrupted,
    };
  }

  /** Changes how the link behaves from now on; what waits in its queue keeps its time. */
  configure(model: LinkModel): void {
    this.#model = model;
    this.#bytesPerMs = model.rateBps / BPS_PER_BYTE_MS;
    this.#delayMs = model.delayMs;
    this.#jitterMs = model.jitterMs;
    this.#keepsOrder = model.keepsOrder;
    this.#queueBytes = model.queueBytes;
    this.#isLossy = model.loss.kind !== "none";
    this.#lossRate = model.loss.kind === "iid" ? model.loss.rate : 0;
    this.#reorderRate = model.reorderRate;
    this.#duplicateRate = model.duplicateRate;
    this.#corruptRate = model.corruptRate;
    this.#hasOutages = model.outages.length > 0;
  }

  /** Time the newest packet in the queue will have left, ms of world time. */
  get busyUntilMs(): number {
    return this.#busyUntilMs;
  }

  /** When a packet of `bytes` that enters at `now` comes out, or −1 when it never does. */
  transit(now: number, bytes: number, random: Prng): number {
    this.#packetsOffered++;
    this.#bytesOffered += bytes;
    let at = now;
    if (this.#bytesPerMs > 0) {
      const start = Math.max(now, this.#busyUntilMs);
      const waitingBytes = (start - now) * this.#bytesPerMs;
      if (waitingBytes > 0 && waitingBytes + bytes > this.#queueBytes) {
        this.#packetsDropped++;
        return -1;
      }
      at = start + bytes / this.#bytesPerMs;
      this.#busyUntilMs = at;
    }
    if (this.#hasOutages && this.#isOut(now)) {
      this.#packetsOut++;
      return -1;
    }
    if (this.#isLossy && this.#isLost(random)) {
      this.#packetsLost++;
      return -1;
    }
    this.#packetsPassed++;
    this.#bytesPassed += bytes;
    return this.#delayed(at, random);
  }

  /** Whether the packet that just passed comes a second time. */
  isDuplicated(random: Prng): boolean {
    if (this.#duplicateRate === 0 || random.next() >= this.#duplicateRate) return false;
    this.#packetsDuplicated++;
    return true;
  }

  /** Whether the packet that just passed is to be damaged. */
  isCorrupted(random: Prng): boolean {
    if (this.#corruptRate === 0 || random.next() >= this.#corruptRate) return false;
    this.#packetsCorrupted++;
    return true;
  }

  #delayed(at: number, random: Prng): number {
    const jitterMs = this.#jitterMs;
    let out = at + this.#delayMs;
    if (jitterMs > 0) out += jitterMs * Math.min(-Math.log(1 - random.next()), JITTER_MAX);
    if (this.#keepsOrder) {
      out = Math.max(out, this.#lastOutMs);
      this.#lastOutMs = out;
    }
    if (this.#reorderRate > 0 && random.next() < this.#reorderRate) {
      out += random.next() * this.#model.reorderMs;
    }
    return out;
  }

  #isOut(now: number): boolean {
    for (const { fromMs, untilMs } of this.#model.outages) {
      if (now >= fromMs && now < untilMs) return true;
    }
    return false;
  }

  #isLost(random: Prng): boolean {
    const { loss } = this.#model;
    if (loss.kind !== "bursts") return random.next() < this.#lossRate;
    const change = this.#isBad ? loss.badToGood : loss.goodToBad;
    if (random.next() < change) this.#isBad = !this.#isBad;
    const rate = this.#isBad ? loss.badLoss : loss.goodLoss;
    return rate > 0 && random.next() < rate;
  }
}
