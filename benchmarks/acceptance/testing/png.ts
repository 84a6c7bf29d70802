/** What a screenshot shows, roughly. */
import { inflateSync } from "node:zlib";

const SIGNATURE_BYTES = 8;
/** Length, type and checksum around a chunk's data. */
const CHUNK_FRAME_BYTES = 12;
/** One pixel in so many is looked at; odd, so that it walks over columns and channels. */
const STRIDE = 37;

/** How many different values a PNG's sampled bytes have, three at a time: a blank picture has a handful. */
export function coloursOf(png: Buffer): number {
  const chunks: Buffer[] = [];
  for (let at = SIGNATURE_BYTES; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const data = at + CHUNK_FRAME_BYTES - 4;
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") {
      chunks.push(png.subarray(data, data + length));
    }
    at += length + CHUNK_FRAME_BYTES;
  }
  const raw = inflateSync(Buffer.concat(chunks));
  const colours = new Set<number>();
  for (let at = 0; at + 3 < raw.length; at += STRIDE) colours.add(raw.readUIntBE(at, 3));
  return colours.size;
}
