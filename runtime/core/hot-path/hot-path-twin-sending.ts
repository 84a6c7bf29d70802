/**
 * The twin's send window. Packet numbers are counted on without wrapping; the wire's u32 is their remainder. Packets
 * live in a map until they are settled for good.
 */
import { serialDiff } from "../../base/serial.ts";
import { INITIAL_RTT_MS, MAX_IN_FLIGHT, MAX_SETTLED, Status } from "./hot-path.ts";

const REMEMBER_MS = 500;
const GUARD_START = { packets: 1, ms: 5 } as const;
const GUARD_PACKETS_MAX = 64;
const CALM_PACKETS = 2048;
const TAIL_VARIANCES = 2;
const LOSS_SAMPLES = 200;
const BACKOFF_MAX = 6;

export interface SentPacket {
  readonly number: number;
  readonly sentAt: number;
  readonly kind: number;
  readonly attempt: number;
  readonly stream: number;
  readonly key: number;
  readonly size: number;
  state: "in flight" | "acked" | "lost";
}

export interface Ack {
  readonly largest: number;
  readonly delayTicks: number;
  readonly clock: number;
  readonly bitmap: Uint8Array;
}

/** What a call settled. */
export interface Outcome {
  readonly acked: SentPacket[];
  readonly lost: SentPacket[];
  spurious: number;
  /** When the ACK's largest packet was sent, if it was news. */
  largestSentAt: number | undefined;
}

export class TwinSending {
  srtt = INITIAL_RTT_MS;
  rttVar = INITIAL_RTT_MS / 2;
  minRtt = INITIAL_RTT_MS;
  latestRtt = INITIAL_RTT_MS;
  lossRate = 0;
  bytesInFlight = 0;
  packetsInFlight = 0;

  readonly #first: number;
  #next: number;
  readonly #window = new Map<number, SentPacket>();
  /** Every packet below it is settled for good and not in the window. */
  #base: number;
  #oldestUnsettled: number;
  #largestAcked: number | undefined;
  /** RTT of the largest acknowledged packet, without the ACK delay. */
  #largestRtt = 0;
  #largestSentAt = 0;
  #lastSentOrProbeAt = 0;
  #isRepairLast = false;
  #lastSettledAt = 0;
  #guardPackets: number = GUARD_START.packets;
  #guardMs: number = GUARD_START.ms;
  #calmPackets = 0;
  /** The most that packets came behind later ones since the guard was last looked at. */
  #seenPackets = 0;
  #seenMs = 0;
  #lossSamples = 0;
  #backoff = 0;

  constructor(first: number) {
    this.#first = first;
    this.#next = first;
    this.#base = first;
    this.#oldestUnsettled = first;
  }

  send(packet: Omit<SentPacket, "number" | "state">): number {
    if (this.#next - this.#oldestUnsettled >= MAX_IN_FLIGHT) return Status.window;
    if (this.#next - this.#base >= MAX_IN_FLIGHT) {
      this.#window.delete(this.#base);
      this.#base++;
    }
    const number = this.#next++;
    this.#window.set(number, { ...packet, number, state: "in flight" });
    this.bytesInFlight += packet.size;
    this.packetsInFlight++;
    this.#lastSentOrProbeAt = packet.sentAt;
    this.#isRepairLast = packet.attempt > 0;
    return number >>> 0;
  }

  /** Undefined when the ACK speaks of packets never sent. */
  acknowledge(nowMs: number, ack: Ack): Outcome | undefined {
    const numbers = this.#acknowledgedNumbers(ack);
    if (numbers === undefined) return undefined;
    const largest = numbers[numbers.length - 1] as number;
    const outcome: Outcome = { acked: [], lost: [], spurious: 0, largestSentAt: undefined };
    const delayMs = ack.delayTicks / 10;
    const rttBefore = this.#largestRtt;
    const largestBefore = this.#largestAcked ?? largest;
    const wasAcked = this.#largestAcked !== undefined;
    for (const number of numbers) {
      const packet = this.#window.get(number);
      if (packet === undefined || packet.state === "acked") continue;
      const lateMs = nowMs - rttBefore - packet.sentAt;
      const behind = largestBefore - number;
      if (wasAcked && (behind > 0 || (behind < 0 && packet.state === "lost"))) {
        this.#noteReordered(Math.max(0, behind), lateMs);
      }
      if (packet.state === "lost") outcome.spurious++;
      else {
        this.#settle(packet, outcome.acked, 0);
        if (number === largest) outcome.largestSentAt = packet.sentAt;
      }
      packet.state = "acked";
    }
    if (outcome.largestSentAt !== undefined) {
      const adjusted = this.#sampleRtt(Math.max(nowMs - outcome.largestSentAt, 0), delayMs);
      if (this.#largestAcked === undefined || largest > this.#largestAcked) {
        this.#largestAcked = largest;
        this.#largestSentAt = outcome.largestSentAt;
        this.#largestRtt = adjusted;
      }
    }
    if (outcome.acked.length > 0) this.#backoff = 0;
    if (outcome.spurious > 0) this.#growGuard();
    this.#detectLosses(nowMs, outcome);
    if (largest === this.#largestAcked) this.#detectTailLosses(delayMs, outcome);
    this.#calm(outcome.acked.length);
    this.#forget(nowMs);
    return outcome;
  }

  checkLosses(nowMs: number): Outcome {
    const outcome: Outcome = { acked: [], lost: [], spurious: 0, largestSentAt: undefined };
    this.#detectLosses(nowMs, outcome);
    this.#forget(nowMs);
    return outcome;
  }

  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const packet of this.#candidates()) {
      if (this.#beyondGuard(packet)) return this.#lastSettledAt;
      at = Math.min(at, this.#lostAt(packet));
    }
    return this.#tailInFlight() ? Math.min(at, this.#probeAt()) : at;
  }

  probeDue(nowMs: number): boolean {
    if (!this.#tailInFlight() || nowMs < this.#probeAt()) return false;
    if (!this.#isRepairLast) this.#backoff = Math.min(this.#backoff + 1, BACKOFF_MAX);
    this.#isRepairLast = false;
    this.#lastSentOrProbeAt = nowMs;
    return true;
  }

  copies(nowMs: number, deadlineMs: number): number {
    const left = deadlineMs - nowMs;
    const arrival = this.srtt / 2;
    if (left < arrival) return 0;
    const nextRound = this.srtt + 15;
    if (left >= arrival + nextRound) return 1;
    return this.lossRate >= 0.15 ? 3 : 2;
  }

  /** Ascending; undefined if one of them was never sent. */
  #acknowledgedNumbers(ack: Ack): number[] | undefined {
    const largest = this.#next + serialDiff(ack.largest, this.#next >>> 0);
    const numbers = [largest];
    for (let i = 0; i < ack.bitmap.length * 8; i++) {
      const byte = ack.bitmap[i >> 3] ?? 0;
      if ((byte >> (i & 7)) & 1) numbers.unshift(largest - 1 - i);
    }
    const lowest = numbers[0] ?? largest;
    return lowest >= this.#first && largest < this.#next ? numbers : undefined;
  }

  #settle(packet: SentPacket, list: SentPacket[], lost: 0 | 1): void {
    list.push(packet);
    this.bytesInFlight -= packet.size;
    this.packetsInFlight--;
    this.#lossSamples = Math.min(this.#lossSamples + 1, LOSS_SAMPLES);
    this.lossRate += (lost - this.lossRate) / this.#lossSamples;
  }

  #sampleRtt(latest: number, delayMs: number): number {
    this.latestRtt = latest;
    if (this.#largestAcked === undefined) {
      const sample = latest >= delayMs ? latest - delayMs : latest;
      this.minRtt = sample;
      this.srtt = sample;
      this.rttVar = sample / 2;
      return sample;
    }
    this.minRtt = Math.min(this.minRtt, latest);
    const adjusted = latest >= this.minRtt + delayMs ? latest - delayMs : latest;
    this.rttVar = (3 / 4) * this.rttVar + (1 / 4) * Math.abs(this.srtt - adjusted);
    this.srtt = (7 / 8) * this.srtt + (1 / 8) * adjusted;
    return adjusted;
  }

  #noteReordered(packets: number, lateMs: number): void {
    this.#seenPackets = Math.max(this.#seenPackets, Math.min(packets, GUARD_PACKETS_MAX));
    this.#seenMs = Math.max(this.#seenMs, Math.min(lateMs, this.srtt / 2));
  }

  #growGuard(): void {
    this.#guardPackets = Math.max(this.#guardPackets, this.#seenPackets);
    this.#guardMs = Math.max(this.#guardMs, this.#seenMs);
  }

  #calm(packets: number): void {
    this.#calmPackets += packets;
    if (this.#calmPackets < CALM_PACKETS) return;
    this.#calmPackets = 0;
    const halved = Math.floor(this.#guardPackets / 2);
    this.#guardPackets = Math.max(halved, this.#seenPackets, GUARD_START.packets);
    this.#guardMs = Math.max(this.#guardMs / 2, this.#seenMs, GUARD_START.ms);
    this.#seenPackets = 0;
    this.#seenMs = 0;
  }

  /** Packets in flight that were sent before the largest acknowledged one, oldest first. */
  *#candidates(): Generator<SentPacket> {
    if (this.#largestAcked === undefined) return;
    for (let number = this.#oldestUnsettled; number < this.#largestAcked; number++) {
      const packet = this.#window.get(number);
      if (packet?.state === "in flight") yield packet;
    }
  }

  #beyondGuard(packet: SentPacket): boolean {
    return (this.#largestAcked ?? 0) - packet.number > this.#guardPackets;
  }

  #lostAt(packet: SentPacket): number {
    return packet.sentAt + (this.#largestRtt + this.#guardMs);
  }

  #detectLosses(nowMs: number, outcome: Outcome): void {
    this.#lastSettledAt = nowMs;
    for (const packet of this.#candidates()) {
      if (outcome.acked.length + outcome.lost.length >= MAX_SETTLED) return;
      if (!this.#beyondGuard(packet) && nowMs < this.#lostAt(packet)) continue;
      packet.state = "lost";
      this.#settle(packet, outcome.lost, 1);
    }
  }

  /** Nothing came behind the largest for `delayMs`: what should have is lost. */
  #detectTailLosses(delayMs: number, outcome: Outcome): void {
    const waited = delayMs - this.#guardMs - TAIL_VARIANCES * this.rttVar;
    if (waited < 0) return;
    const sentBy = this.#largestSentAt + waited;
    for (let number = (this.#largestAcked ?? 0) + 1; number < this.#next; number++) {
      const packet = this.#window.get(number);
      if (packet === undefined) continue;
      if (packet.sentAt > sentBy) return;
      if (outcome.acked.length + outcome.lost.length >= MAX_SETTLED) return;
      if (packet.state !== "in flight") continue;
      packet.state = "lost";
      this.#settle(packet, outcome.lost, 1);
    }
  }

  #tailInFlight(): boolean {
    const newest = this.#next - 1;
    return newest >= this.#first && newest > (this.#largestAcked ?? this.#first - 1);
  }

  #probeAt(): number {
    if (this.#isRepairLast) return this.#lastSentOrProbeAt + this.#guardMs;
    const timeout = this.srtt + Math.max(4 * this.rttVar, 5) + 10;
    return this.#lastSentOrProbeAt + timeout * 2 ** this.#backoff;
  }

  /** Drops what is settled from the old end of the window; a lost packet only when its ACK is unlikely by now. */
  #forget(nowMs: number): void {
    while (this.#oldestUnsettled < this.#next) {
      if (this.#window.get(this.#oldestUnsettled)?.state === "in flight") break;
      this.#oldestUnsettled++;
    }
    const sentBefore = nowMs - (REMEMBER_MS + 2 * this.srtt);
    while (this.#base < this.#oldestUnsettled) {
      const packet = this.#window.get(this.#base);
      if (packet?.state === "lost" && packet.sentAt > sentBefore) break;
      this.#window.delete(this.#base);
      this.#base++;
    }
  }
}
