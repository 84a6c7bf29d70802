/**
 * What the decoder behind a play buffer has been given: the references that later frames need, and
 * the configurations in force.
 */
import { FrameKind } from "../../wire/frame.ts";
import type { SegmentHeader } from "../../wire/segment.ts";

/** References remembered; frames refer to the newest one or two. */
const REFERENCES = 32;

export class DecoderState {
  readonly #references = new Map<number, boolean>();
  readonly #heads = new Map<FrameKind, Uint8Array>();

  /** Whether a frame needs one that was lost, or was damaged itself. */
  isDamaged(header: SegmentHeader): boolean {
    if (header.dependsOn === 0) return false;
    return this.#references.get((header.sequence - header.dependsOn) >>> 0) !== true;
  }

  /** A picture was handed on (`isGood`), or lost. */
  remember(sequence: number, isGood: boolean): void {
    this.#references.set(sequence, isGood);
    if (this.#references.size <= REFERENCES) return;
    for (const oldest of this.#references.keys()) {
      this.#references.delete(oldest);
      return;
    }
  }

  /** Takes a configuration or metadata; false when it is the one in force. */
  takeHead(kind: FrameKind, body: Uint8Array): boolean {
    if (sameBytes(body, this.#heads.get(kind))) return false;
    this.#heads.set(kind, body);
    return true;
  }
}

/** A configuration or metadata, not a frame of its own time. */
export function isHead(kind: FrameKind): boolean {
  return kind <= FrameKind.metadata;
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  if (a.length !== b?.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
