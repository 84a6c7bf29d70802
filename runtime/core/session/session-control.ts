/**
 * A session's control messages: the reliable stream under them, and the packets it travels in. Made when the first
 * message comes or goes; an idle neighbour has none.
 */
import type { Ms } from "../../base/time.ts";
import { type ControlMessage, ControlReader, encodeControl } from "../../wire/control.ts";
import { ControlStream } from "./control-stream.ts";

/** A control chunk unacknowledged for this and two round trips is sent again. */
const TIMEOUT_MS = 30;

/** The session, as its control stream needs it. */
export interface PieceSender {
  /** Puts a piece of the stream into a packet; false when it could not leave now. */
  sendPiece(now: Ms, offset: number, bytes: Uint8Array): boolean;
}

export class SessionControl {
  readonly #stream = new ControlStream();
  /** While a message is here in part. */
  #reader: ControlReader | undefined;

  /** Whether something waits to be sent and may be. */
  get hasUnsent(): boolean {
    return this.#stream.hasUnsent;
  }

  /** Everything said has arrived. */
  get isSettled(): boolean {
    return this.#stream.isSettled;
  }

  /** False when so much lies unacknowledged that the receiver must be taken for gone. */
  write(message: ControlMessage): boolean {
    return this.#stream.write(encodeControl(message));
  }

  flush(now: Ms, sender: PieceSender): void {
    for (;;) {
      const chunk = this.#stream.nextChunk(now);
      if (chunk === undefined) return;
      if (sender.sendPiece(now, chunk.offset, chunk.bytes)) continue;
      return this.#stream.handleUnsent(chunk.offset);
    }
  }

  /**
   * Loss detection needs an acknowledgement of something later, and a receiver that has not got our `stream` message
   * acknowledges no media: control must not wait for it for ever.
   */
  resendAt(srttMs: number): Ms {
    return this.#stream.resendAt(TIMEOUT_MS + 2 * srttMs);
  }

  handleTimeout(now: Ms, srttMs: number, sender: PieceSender): void {
    this.#stream.handleTimeout(now, TIMEOUT_MS + 2 * srttMs);
    this.flush(now, sender);
  }

  handleSettled(offset: number, isAcked: boolean): void {
    if (isAcked) this.#stream.handleAcked(offset);
    else this.#stream.handleLost(offset);
  }

  /** @throws ProtocolViolation for what no encoder writes, and for what a receiver need not keep. */
  receive(offset: number, bytes: Uint8Array, take: (message: ControlMessage) => void): void {
    const reader = this.#reader ?? new ControlReader();
    this.#stream.receive(offset, bytes, (piece) => {
      for (const message of reader.push(piece)) take(message);
    });
    this.#reader = reader.unreadBytes === 0 ? undefined : reader;
  }
}
