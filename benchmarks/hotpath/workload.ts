/**
 * The hot path's operations as a stream of video has them, phase by phase, so that each can be timed alone. The same
 * phases, in the same order and with the same numbers, stand in `reference.c`; both print the same digest of results.
 *
 * A round is 10 ms of 256 sessions: each sends eight packets, four by themselves and four of a frame that goes to all
 * in one call, as an edge sends; seven or eight of them arrive 50 ms later, one ACK comes
 * back, and its sender settles what it tells. Beside that, 64 frames of four fragments are filed and read.
 */
import { Fan, type HotPath } from "../../runtime/core/hot-path/hot-path.ts";
import { encodeDataHead, HEAD_BYTES } from "../../runtime/wire/packet.ts";

export const SESSIONS = 256;
export const PACKETS_PER_ACK = 8;
export const FRAMES = 64;
export const FRAGMENTS = 4;
/** Each frame is read so often: enough calls that beginning with cold caches does not count. */
const READERS = 4;
const STORE_CAPACITY = 4096;
const BODY_BYTES = 1152;
const ROUND_MS = 10;
const ONE_WAY_MS = 50;
/** Bytes kept for each session's ACK. */
const ACK_ROOM = 160;
const MAP_BITS = 512;
const HOLES_MAX = 64;

/** Times a phase: `operations` calls' worth of work happen in `run`. */
export type Timed = (name: string, operations: number, run: () => number) => void;

/** Whether packet or fragment `number` is among the 5 % that never come: the same in C. */
export function isMissing(number: number): boolean {
  return Math.imul(number ^ (number >>> 7), 0x9e3779b1) >>> 0 < 0.05 * 2 ** 32;
}

export class Workload {
  readonly #hot: HotPath;
  readonly #isLossy: boolean;
  readonly #senders: number[] = [];
  readonly #receivers: number[] = [];
  readonly #ackBytes = new Int32Array(SESSIONS);
  readonly #numbers = new Int32Array(PACKETS_PER_ACK);
  readonly #slots = new Int32Array(FRAMES * FRAGMENTS);
  readonly #store: number;
  readonly #frame = new Int32Array(4 * FRAGMENTS);
  readonly #rows = new Int32Array(8 * SESSIONS);
  #round = 0;
  #fragment = 0;

  constructor(hot: HotPath, isLossy: boolean) {
    this.#hot = hot;
    this.#isLossy = isLossy;
    for (let i = 0; i < SESSIONS; i++) {
      this.#senders.push(hot.sessionOpen());
      this.#receivers.push(hot.sessionOpen());
    }
    this.#store = hot.storeOpen(STORE_CAPACITY);
  }

  /** One round; each phase returns a number that depends on all its results. */
  round(timed: Timed): void {
    const now = this.#round * ROUND_MS;
    const packets = SESSIONS * PACKETS_PER_ACK;
    const arrived = this.#drawArrived();
    const fanned = SESSIONS * FRAGMENTS;
    timed("packetSent", packets - fanned, () => this.#send(now));
    timed("fanHeads", fanned, () => this.#fanOut(now));
    timed("packetReceived", SESSIONS * arrived, () => this.#receive(now + ONE_WAY_MS, arrived));
    timed("ackBuild", SESSIONS, () => this.#buildAcks(now + ONE_WAY_MS));
    timed("ackParse", SESSIONS, () => this.#parseAcks(now + 2 * ONE_WAY_MS));
    timed("lossDeadline", SESSIONS, () => this.#lossDeadlines());
    timed("lossCheck", SESSIONS, () => this.#checkLosses(now + 2 * ONE_WAY_MS + 1));
    const fragments = FRAMES * FRAGMENTS;
    timed("dataHead", fragments, () => this.#writeHeads());
    timed("payloadAlloc", fragments, () => this.#allocate());
    timed("fragmentInsert", fragments, () => this.#insert(now));
    timed("payloadRelease", fragments, () => this.#release());
    timed("segmentSlots", READERS * FRAMES, () => this.#take());
    timed("holes", FRAMES, () => this.#holes());
    timed("mapBuild", FRAMES, () => this.#maps());
    this.#fragment += fragments;
    this.#round++;
  }

  /** Numbers of this round's packets that arrive; how many. */
  #drawArrived(): number {
    let count = 0;
    for (let i = 0; i < PACKETS_PER_ACK; i++) {
      const number = this.#round * PACKETS_PER_ACK + i;
      if (!(this.#isLossy && isMissing(number))) this.#numbers[count++] = number;
    }
    return count;
  }

  /** Half of a round's packets one by one. */
  #send(now: number): number {
    const hot = this.#hot;
    let sum = 0;
    for (let s = 0; s < SESSIONS; s++) {
      const session = this.#senders[s] as number;
      for (let i = FRAGMENTS; i < PACKETS_PER_ACK; i++) {
        sum = (sum + hot.packetSent(session, now, 1, 0, 7, this.#fragment + i, 1173)) | 0;
      }
    }
    return sum;
  }

  /** The other half, a frame to all at once, with its heads; the tables are handed over as the edge does. */
  #fanOut(now: number): number {
    const hot = this.#hot;
    const frame = this.#frame;
    const rows = this.#rows;
    for (let i = 0; i < FRAGMENTS; i++) {
      frame[4 * i] = this.#fragment + i;
      frame[4 * i + 1] = i | (FRAGMENTS << 12) | (3 << 24);
      frame[4 * i + 2] = 1173;
    }
    for (let s = 0; s < SESSIONS; s++) {
      const at = 8 * s;
      rows[at] = this.#senders[s] as number;
      rows[at + 1] = 0x12345678;
      rows[at + 2] = s;
      rows[at + 3] = 7;
      rows[at + 4] = (1 << FRAGMENTS) - 1;
    }
    hot.out.set(frame);
    hot.out.set(rows, Fan.receiversAt / 4);
    const ptr = hot.headerArenaPtr + SESSIONS * ACK_ROOM;
    const heads = hot.fanHeads(SESSIONS, FRAGMENTS, 1, now, ptr);
    const last = ptr + (heads - 1) * Fan.headBytes;
    const { bytes } = hot;
    const sum = heads + (bytes[last + 10] as number) + (bytes[last + 16] as number);
    return (sum + (hot.out[Fan.receiversAt / 4 + 8 * (SESSIONS - 1) + 5] as number)) | 0;
  }

  #receive(now: number, count: number): number {
    const hot = this.#hot;
    const numbers = this.#numbers;
    let sum = 0;
    for (let s = 0; s < SESSIONS; s++) {
      const session = this.#receivers[s] as number;
      for (let i = 0; i < count; i++) {
        sum = (sum + hot.packetReceived(session, now, (numbers[i] as number) & 0xffff)) | 0;
      }
    }
    return sum;
  }

  #buildAcks(now: number): number {
    const hot = this.#hot;
    let sum = 0;
    for (let s = 0; s < SESSIONS; s++) {
      const at = hot.headerArenaPtr + s * ACK_ROOM;
      const bytes = hot.ackBuild(this.#receivers[s] as number, now, at);
      this.#ackBytes[s] = bytes;
      sum = (sum + bytes + (hot.bytes[at + bytes - 1] as number)) | 0;
    }
    return sum;
  }

  #parseAcks(now: number): number {
    const hot = this.#hot;
    let sum = 0;
    for (let s = 0; s < SESSIONS; s++) {
      const at = hot.headerArenaPtr + s * ACK_ROOM;
      const listed = hot.ackParse(this.#senders[s] as number, now, at, this.#ackBytes[s] as number);
      sum = (sum + listed + (hot.out[1] as number)) | 0;
    }
    return sum;
  }

  #lossDeadlines(): number {
    let sum = 0;
    for (let s = 0; s < SESSIONS; s++) {
      const at = this.#hot.lossDeadline(this.#senders[s] as number);
      sum = (sum + (at === Number.POSITIVE_INFINITY ? 1 : at)) | 0;
    }
    return sum;
  }

  #checkLosses(now: number): number {
    let sum = 0;
    for (let s = 0; s < SESSIONS; s++) {
      sum = (sum + this.#hot.lossCheck(this.#senders[s] as number, now)) | 0;
    }
    return sum;
  }

  #writeHeads(): number {
    const { bytes, headerArenaPtr } = this.#hot;
    let at = headerArenaPtr + SESSIONS * ACK_ROOM;
    for (let i = 0; i < FRAMES * FRAGMENTS; i++) {
      const number = this.#fragment + i;
      const index = i & (FRAGMENTS - 1);
      at = encodeDataHead(
        bytes,
        at,
        0x12345678,
        i,
        number & 0xffff,
        7,
        number,
        index,
        FRAGMENTS,
        3,
      );
    }
    return (at - headerArenaPtr + (bytes[at - HEAD_BYTES + 16] as number)) | 0;
  }

  #allocate(): number {
    const slots = this.#slots;
    let sum = 0;
    for (let i = 0; i < slots.length; i++) {
      const slot = this.#hot.payloadAlloc(BODY_BYTES);
      slots[i] = slot;
      sum += slot > 0 ? 1 : 0;
    }
    return sum;
  }

  #insert(now: number): number {
    const hot = this.#hot;
    const store = this.#store;
    const slots = this.#slots;
    let sum = 0;
    for (let i = 0; i < slots.length; i++) {
      const number = this.#fragment + i;
      if (this.#isLossy && isMissing(number)) continue;
      const slot = slots[i] as number;
      const index = i & (FRAGMENTS - 1);
      sum = (sum + hot.fragmentInsert(store, number, index, FRAGMENTS, 3, slot, now)) | 0;
    }
    return sum;
  }

  #release(): number {
    const slots = this.#slots;
    const hot = this.#hot;
    for (let i = 0; i < slots.length; i++) hot.payloadRelease(slots[i] as number);
    return 0;
  }

  #take(): number {
    let sum = 0;
    for (let i = 0; i < READERS * FRAMES; i++) {
      const first = this.#fragment + (i % FRAMES) * FRAGMENTS;
      sum = (sum + this.#hot.segmentSlots(this.#store, first)) | 0;
    }
    return sum;
  }

  /** The last 256 fragments, as a peer looks for what to ask. */
  #holes(): number {
    const to = this.#fragment + FRAMES * FRAGMENTS;
    let sum = 0;
    for (let i = 0; i < FRAMES; i++) {
      const found = this.#hot.holes(this.#store, to - FRAMES * FRAGMENTS, to - i, HOLES_MAX);
      sum = (sum + found + (found === 0 ? 0 : (this.#hot.out[0] as number))) | 0;
    }
    return sum;
  }

  #maps(): number {
    const { bytes, headerArenaPtr } = this.#hot;
    const at = headerArenaPtr + SESSIONS * ACK_ROOM;
    const to = this.#fragment + FRAMES * FRAGMENTS;
    let sum = 0;
    for (let i = 0; i < FRAMES; i++) {
      const length = this.#hot.mapBuild(this.#store, to - MAP_BITS - i, MAP_BITS, at);
      sum = (sum + length + (bytes[at + length - 1] as number)) | 0;
    }
    return sum;
  }
}
