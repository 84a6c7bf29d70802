/** Control messages between edges (docs/WIRE.md §9); decoded as control.ts decodes. */
import { type Fields, integerField, textField } from "./cbor.ts";
import { MESH_NAME_CHARACTERS_MAX } from "./mesh-proof.ts";
import { STREAM_NAME_CHARACTERS_MAX, type StreamInfo, streamInfoOf } from "./stream-info.ts";
import { printable } from "./text.ts";

const REASON_CHARACTERS_MAX = 512;

export type MeshMessage =
  /** I want this stream, over whatever paths you choose, until `unfetch`. Said again it changes nothing. */
  | { readonly t: "fetch"; readonly name: string }
  /** I do not want it, or no more. */
  | { readonly t: "unfetch"; readonly name: string }
  /** Data with this index is to be passed on to the edge `to`, directly. */
  | ({ readonly t: "relay"; readonly to: string } & StreamInfo)
  /** What comes with this index cannot be passed on, or is wanted no more. */
  | { readonly t: "relayOff"; readonly index: number; readonly reason: string };

export const meshDecoders: Readonly<
  Record<MeshMessage["t"], (fields: Fields) => MeshMessage | undefined>
> = {
  fetch(fields) {
    const name = textField(fields, "name", STREAM_NAME_CHARACTERS_MAX);
    return name === undefined ? undefined : { t: "fetch", name };
  },
  unfetch(fields) {
    const name = textField(fields, "name", STREAM_NAME_CHARACTERS_MAX);
    return name === undefined ? undefined : { t: "unfetch", name };
  },
  relay(fields) {
    const to = textField(fields, "to", MESH_NAME_CHARACTERS_MAX);
    const info = streamInfoOf(fields);
    return to === undefined || info === undefined ? undefined : { t: "relay", to, ...info };
  },
  relayOff(fields) {
    const index = integerField(fields, "index", 1, 0xffff);
    const reason = textField(fields, "reason", REASON_CHARACTERS_MAX);
    if (index === undefined || reason === undefined) return undefined;
    return { t: "relayOff", index, reason: printable(reason) };
  },
};
