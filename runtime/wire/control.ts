/**
 * Messages of the control stream (docs/WIRE.md §6): `length (2) ‖ CBOR map`, told apart by `t`. The reader takes the
 * ordered bytes in any pieces and gives whole, checked messages; a `t` it does not know is skipped, so that later
 * versions may say more.
 */
import { assert } from "../base/assert.ts";
import { ProtocolViolation } from "../base/errors.ts";
import { decodeFields, encodeFields, type Fields, integerField, textField } from "./cbor.ts";
import { type ClusterMessage, clusterDecoders, clusterFields } from "./control-cluster.ts";
import { type MeshMessage, meshDecoders } from "./control-mesh.ts";
import { SUB_STREAMS_MAX, type SwarmMessage, swarmDecoders, swarmFields } from "./control-swarm.ts";
import { putU16 } from "./packet.ts";
import { STREAM_NAME_CHARACTERS_MAX, type StreamInfo, streamInfoOf } from "./stream-info.ts";
import { printable } from "./text.ts";

/** CBOR bytes of one message. */
export const CONTROL_MESSAGE_BYTES_MAX = 8192;
/** Bytes pushed and not yet read as messages. */
export const CONTROL_UNREAD_BYTES_MAX = 64 * 1024;
const TEXT_CHARACTERS_MAX = 512;
const LENGTH_BYTES = 2;
const U32_MAX = 0xffff_ffff;

export type ControlMessage =
  /** Sender of data → receiver: data with this index follows; replaces an earlier epoch of the same name. */
  | ({ readonly t: "stream" } & StreamInfo)
  /** Sender of data → receiver: the epoch is over at fragment `next`. */
  | { readonly t: "ended"; readonly index: number; readonly next: number }
  /** Edge → viewer: not to be had at present. */
  | {
      readonly t: "noStream";
      readonly name: string;
      readonly reason: string;
      readonly retryMs: number;
    }
  /**
   * Viewer → edge or parent: push sub-streams `mask` (bit i = sub-stream i of `k`, 1..32) of `name` from now on, and
   * nothing else; with `from`, first those fragments of them from that number on that are here.
   */
  | {
      readonly t: "subscribe";
      readonly name: string;
      readonly mask: number;
      readonly k: number;
      readonly from?: number | undefined;
    }
  | { readonly t: "unsubscribe"; readonly name: string }
  /** Edge → publisher: something its owner should know. */
  | { readonly t: "warn"; readonly code: string; readonly text: string }
  | ClusterMessage
  | SwarmMessage
  | MeshMessage;

/** Length and message, ready for the control stream. */
export function encodeControl(message: ControlMessage): Uint8Array {
  const body = encodeFields(fieldsOf(message));
  assert(body.length <= CONTROL_MESSAGE_BYTES_MAX, "control message too long");
  const bytes = new Uint8Array(LENGTH_BYTES + body.length);
  bytes.set(body, putU16(bytes, 0, body.length));
  return bytes;
}

function fieldsOf(message: ControlMessage): Fields {
  if (message.t in swarmDecoders) return swarmFields(message as SwarmMessage);
  return message.t in clusterDecoders ? clusterFields(message as ClusterMessage) : { ...message };
}

/**
 * One message's CBOR. Undefined when its `t` is not known.
 * @throws ProtocolViolation when it is no CBOR map, or a known message with wrong fields.
 */
export function decodeControl(bytes: Uint8Array): ControlMessage | undefined {
  const fields = decodeFields(bytes);
  const t = fields === undefined ? undefined : textField(fields, "t", 32);
  if (fields === undefined || t === undefined) {
    throw new ProtocolViolation("malformed", "control message: not a map with `t`");
  }
  if (!Object.hasOwn(decoders, t)) return undefined;
  const message = decoders[t as ControlMessage["t"]](fields);
  if (message === undefined) throw new ProtocolViolation("malformed", `control message: ${t}`);
  return message;
}

type FieldsDecoder = (fields: Fields) => ControlMessage | undefined;

const decoders: Readonly<Record<ControlMessage["t"], FieldsDecoder>> = {
  ...swarmDecoders,
  ...clusterDecoders,
  ...meshDecoders,
  stream(fields) {
    const info = streamInfoOf(fields);
    return info === undefined ? undefined : { t: "stream", ...info };
  },
  ended(fields) {
    const index = integerField(fields, "index", 1, 65_535);
    const next = integerField(fields, "next", 0, U32_MAX);
    if (index === undefined || next === undefined) return undefined;
    return { t: "ended", index, next };
  },
  noStream(fields) {
    const name = nameOf(fields);
    const reason = textField(fields, "reason", TEXT_CHARACTERS_MAX);
    const retryMs = integerField(fields, "retryMs", 0, U32_MAX);
    if (name === undefined || reason === undefined || retryMs === undefined) return undefined;
    return { t: "noStream", name, reason: printable(reason), retryMs };
  },
  subscribe(fields) {
    const name = nameOf(fields);
    const k = integerField(fields, "k", 1, SUB_STREAMS_MAX);
    const mask = integerField(fields, "mask", 0, 2 ** (k ?? 0) - 1);
    const from = integerField(fields, "from", 0, U32_MAX);
    if (name === undefined || mask === undefined || k === undefined) return undefined;
    if (from === undefined && fields["from"] !== undefined) return undefined;
    return { t: "subscribe", name, mask, k, from };
  },
  unsubscribe(fields) {
    const name = nameOf(fields);
    return name === undefined ? undefined : { t: "unsubscribe", name };
  },
  warn(fields) {
    const code = textField(fields, "code", 64);
    const text = textField(fields, "text", TEXT_CHARACTERS_MAX);
    if (code === undefined || text === undefined) return undefined;
    return { t: "warn", code: printable(code), text: printable(text) };
  },
};

function nameOf(fields: Fields): string | undefined {
  return textField(fields, "name", STREAM_NAME_CHARACTERS_MAX);
}

const NOTHING: Uint8Array = new Uint8Array(0);

/** Puts the control stream's bytes together into messages. */
export class ControlReader {
  #pieces = NOTHING;

  /** Bytes waiting for the rest of their message. */
  get unreadBytes(): number {
    return this.#pieces.length;
  }

  /**
   * Takes the next bytes (copied where they must be kept) and gives the messages that are whole now.
   * @throws ProtocolViolation for a message that is malformed or too long, or more than 64 KiB unread.
   */
  push(bytes: Uint8Array): ControlMessage[] {
    if (this.#pieces.length + bytes.length > CONTROL_UNREAD_BYTES_MAX) {
      throw new ProtocolViolation("limit", "control stream: more than 64 KiB unread");
    }
    const all = concat(this.#pieces, bytes);
    const messages: ControlMessage[] = [];
    let at = 0;
    while (at + LENGTH_BYTES <= all.length) {
      const length = ((all[at] as number) << 8) | (all[at + 1] as number);
      if (length > CONTROL_MESSAGE_BYTES_MAX) {
        throw new ProtocolViolation("limit", `control message of ${length} B`);
      }
      const end = at + LENGTH_BYTES + length;
      if (end > all.length) break;
      const message = decodeControl(all.subarray(at + LENGTH_BYTES, end));
      if (message !== undefined) messages.push(message);
      at = end;
    }
    this.#pieces = at === all.length ? NOTHING : all.slice(at);
    return messages;
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
