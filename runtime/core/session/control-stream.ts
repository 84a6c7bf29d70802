/**
 * The reliable, ordered byte stream under a session's control messages (docs/WIRE.md §6): cut into CONTROL packets on
 * the way out, put together again on the way in. Made only when a session has something to say; an idle neighbour has
 * none.
 */
import { ProtocolViolation } from "../../base/errors.ts";
import { serialDiff } from "../../base/serial.ts";
import { type Ms, ms, NEVER } from "../../base/time.ts";

/** Bytes of control stream in one CONTROL packet. */
export const CONTROL_CHUNK_BYTES = 1100;
/** Sent but unacknowledged, or not yet sent; a receiver that lets this fill up is gone. */
export const CONTROL_SEND_BYTES_MAX = 256 * 1024;
/** Received ahead of a hole. */
export const CONTROL_RECEIVE_BYTES_MAX = 64 * 1024;

interface Chunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
  sentAt: Ms;
  /** Times sent. */
  sends: number;
}

/** Instead of an empty list: most sessions have nothing to say at most times. Never written to. */
const NOTHING: Chunk[] = [];

/** A chunk unheard of is sent again after this, doubling: acknowledgements may be missing for want of anything else. */
const RESEND_MS_MAX = 2000;

export class ControlStream {
  /** Waiting to be sent, or to be sent again: lowest offset first. */
  #unsent: Chunk[] = NOTHING;
  /** Made while anything is; so is what lies ahead of a hole: most sessions say little, and seldom. */
  #inFlight: Map<number, Chunk> | undefined;
  /** Everything before it has arrived. */
  #settledOffset = 0;
  #sendOffset = 0;
  #pendingBytes = 0;
  #ahead: Map<number, Uint8Array> | undefined;
  #aheadBytes = 0;
  #receiveOffset = 0;

  /** Whether a chunk waits for `nextChunk`, and the receiver must have room for it ahead of what it still lacks. */
  get hasUnsent(): boolean {
    const chunk = this.#unsent[0];
    if (chunk === undefined) return false;
    const ahead = serialDiff(chunk.offset, this.#settledOffset) + chunk.bytes.length;
    return ahead <= CONTROL_RECEIVE_BYTES_MAX;
  }

  /** Everything written has arrived. */
  get isSettled(): boolean {
    return this.#pendingBytes === 0;
  }

  /** Appends bytes. False, and nothing taken, when CONTROL_SEND_BYTES_MAX would be passed. */
  write(bytes: Uint8Array): boolean {
    if (this.#pendingBytes + bytes.length > CONTROL_SEND_BYTES_MAX) return false;
    if (this.#unsent === NOTHING) this.#unsent = [];
    for (let at = 0; at < bytes.length; at += CONTROL_CHUNK_BYTES) {
      const piece = bytes.slice(at, at + CONTROL_CHUNK_BYTES);
      this.#unsent.push({ offset: this.#sendOffset, bytes: piece, sentAt: NEVER, sends: 0 });
      this.#sendOffset = (this.#sendOffset + piece.length) >>> 0;
    }
    this.#pendingBytes += bytes.length;
    return true;
  }

  /** The next chunk to put into a packet; it counts as in flight from then on. */
  nextChunk(now: Ms): Readonly<Chunk> | undefined {
    if (!this.hasUnsent) return undefined;
    const chunk = this.#unsent.shift() as Chunk;
    if (this.#unsent.length === 0) this.#unsent = NOTHING;
    chunk.sentAt = now;
    chunk.sends++;
    this.#inFlight ??= new Map();
    this.#inFlight.set(chunk.offset, chunk);
    return chunk;
  }

  /** When the oldest chunk in flight counts as lost by time alone; `timeoutMs` is that of the first try. */
  resendAt(timeoutMs: number): Ms {
    let at: Ms = NEVER;
    if (this.#inFlight === undefined) return at;
    for (const chunk of this.#inFlight.values()) at = ms(Math.min(at, dueAt(chunk, timeoutMs)));
    return at;
  }

  /** Takes what is due by time to be sent again. */
  handleTimeout(now: Ms, timeoutMs: number): void {
    for (const chunk of this.#inFlight?.values() ?? []) {
      if (dueAt(chunk, timeoutMs) <= now) this.handleLost(chunk.offset);
    }
  }

  handleAcked(offset: number): void {
    const chunk = this.#inFlight?.get(offset) ?? this.#takeUnsent(offset);
    if (chunk === undefined) return; /* acknowledged before, under another packet number */
    this.#settle(offset);
    this.#pendingBytes -= chunk.bytes.length;
    if (offset === this.#settledOffset) this.#settledOffset = this.#lowestPending();
  }

  handleLost(offset: number): void {
    const chunk = this.#inFlight?.get(offset);
    if (chunk === undefined) return;
    this.#settle(offset);
    if (this.#unsent === NOTHING) this.#unsent = [];
    const at = this.#unsent.findIndex((other) => serialDiff(other.offset, offset) > 0);
    this.#unsent.splice(at < 0 ? this.#unsent.length : at, 0, chunk);
  }

  /** The chunk given last could not leave. */
  handleUnsent(offset: number): void {
    const chunk = this.#inFlight?.get(offset);
    if (chunk !== undefined) chunk.sends--;
    this.handleLost(offset);
  }

  #settle(offset: number): void {
    this.#inFlight?.delete(offset);
    if (this.#inFlight?.size === 0) this.#inFlight = undefined;
  }

  #takeUnsent(offset: number): Chunk | undefined {
    const at = this.#unsent.findIndex((chunk) => chunk.offset === offset);
    return at < 0 ? undefined : this.#unsent.splice(at, 1)[0];
  }

  #lowestPending(): number {
    let lowest = this.#unsent[0]?.offset ?? this.#sendOffset;
    for (const offset of this.#inFlight?.keys() ?? []) {
      if (serialDiff(offset, lowest) < 0) lowest = offset;
    }
    return lowest;
  }

  /**
   * Takes the bytes of one CONTROL packet and hands those that are in order to `deliver`.
   * @throws ProtocolViolation when more than CONTROL_RECEIVE_BYTES_MAX lie ahead of a hole.
   */
  receive(offset: number, bytes: Uint8Array, deliver: (bytes: Uint8Array) => void): void {
    const distance = serialDiff(offset, this.#receiveOffset);
    if (distance > 0) return this.#keepAhead(offset, bytes, distance);
    if (distance + bytes.length <= 0) return; /* all of it is old */
    const fresh = bytes.subarray(-distance);
    this.#receiveOffset = (this.#receiveOffset + fresh.length) >>> 0;
    deliver(fresh);
    for (;;) {
      const next = this.#ahead?.get(this.#receiveOffset);
      if (next === undefined) break;
      this.#ahead?.delete(this.#receiveOffset);
      this.#aheadBytes -= next.length;
      this.#receiveOffset = (this.#receiveOffset + next.length) >>> 0;
      deliver(next);
    }
    if (this.#ahead?.size === 0) this.#ahead = undefined;
  }

  #keepAhead(offset: number, bytes: Uint8Array, distance: number): void {
    if (bytes.length === 0 || this.#ahead?.has(offset) === true) return;
    if (distance + bytes.length > CONTROL_RECEIVE_BYTES_MAX) {
      throw new ProtocolViolation("limit", "control stream: more than 64 KiB ahead of a hole");
    }
    if (this.#aheadBytes + bytes.length > CONTROL_RECEIVE_BYTES_MAX) {
      throw new ProtocolViolation("limit", "control stream: more than 64 KiB kept ahead of a hole");
    }
    this.#ahead ??= new Map();
    this.#ahead.set(offset, bytes.slice());
    this.#aheadBytes += bytes.length;
  }
}

function dueAt(chunk: Chunk, timeoutMs: number): number {
  return chunk.sentAt + Math.min(timeoutMs * 2 ** (chunk.sends - 1), RESEND_MS_MAX);
}
