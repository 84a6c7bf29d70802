/**
 * How a session's stream index is bound to a stream's epoch: the control message `stream` (docs/WIRE.md §6), also sent
 * inside ACCEPT, so that data can follow in the same flight.
 */
import { bytesField, type Fields, integerField, textField } from "./cbor.ts";

export const STREAM_NAME_CHARACTERS_MAX = 128;
export const STREAM_ID_BYTES = 8;
const U32_MAX = 0xffff_ffff;

export interface StreamInfo {
  /** 1..65535 */
  readonly index: number;
  /** `live/<name>` */
  readonly name: string;
  /** 8 bytes, opaque. */
  readonly id: Uint8Array;
  /** u32, rising. */
  readonly epoch: number;
  /** First fragment of the group to start from. u32 */
  readonly first: number;
  /** Frontier: one past the newest fragment the sender has. u32 */
  readonly next: number;
}

export function streamInfoOf(fields: Fields): StreamInfo | undefined {
  const index = integerField(fields, "index", 1, 65_535);
  const name = textField(fields, "name", STREAM_NAME_CHARACTERS_MAX);
  const id = bytesField(fields, "id", STREAM_ID_BYTES);
  const epoch = integerField(fields, "epoch", 0, U32_MAX);
  const first = integerField(fields, "first", 0, U32_MAX);
  const next = integerField(fields, "next", 0, U32_MAX);
  if (index === undefined || name === undefined || id === undefined) return undefined;
  if (epoch === undefined || first === undefined || next === undefined) return undefined;
  return { index, name, id, epoch, first, next };
}
