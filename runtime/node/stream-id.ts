/** A stream's 64-bit identity on the wire: the beginning of its name's SHA-256, so that every node names it alike. */
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";

export function streamIdOf(name: string): Uint8Array {
  return sha256(utf8ToBytes(name)).slice(0, 8);
}
