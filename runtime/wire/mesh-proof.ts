/**
 * How two edges show each other that they know the cluster's secret (docs/WIRE.md §9). The proof covers who speaks to
 * whom and the address the initiator believes the other to be at: a go-between at another address cannot pass it on.
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { ADDRESS_BYTES_MAX, type Address, encodeAddress } from "./address.ts";
import { equalBytes } from "./cookie.ts";
import { type ConnectionId, putU32 } from "./packet.ts";
import { utf8Bytes } from "./text.ts";

/** Characters of an edge's or a line's name. */
export const MESH_NAME_CHARACTERS_MAX = 64;

/** What the initiator says of itself and of the other side. */
export interface MeshClaim {
  /** The initiator, and which of its lines this is. */
  readonly edge: string;
  readonly line: string;
  /** Who is meant, and where it is thought to be. */
  readonly to: string;
  readonly at: Address;
}

const CONTEXTS = {
  connect: utf8Bytes("shoal edge connect"),
  accept: utf8Bytes("shoal edge accept"),
} as const;

/** 32 bytes that only who knows the secret can make for this handshake: `connect` from the initiator, then `accept`. */
export function meshProofOf(
  side: keyof typeof CONTEXTS,
  secret: string,
  cookie: Uint8Array,
  cid: ConnectionId,
  claim: MeshClaim,
): Uint8Array {
  const id = new Uint8Array(8);
  putU32(id, putU32(id, 0, cid.hi), cid.lo);
  const address = new Uint8Array(ADDRESS_BYTES_MAX);
  const end = encodeAddress(address, 0, claim.at);
  return hmac
    .create(sha256, utf8Bytes(secret))
    .update(CONTEXTS[side])
    .update(cookie)
    .update(id)
    .update(address.subarray(0, end))
    .update(utf8Bytes([claim.edge, claim.line, claim.to].join("\0")))
    .digest();
}

/** Whether `proof` was made so, in constant time. */
export function checkMeshProof(
  side: keyof typeof CONTEXTS,
  secret: string,
  cookie: Uint8Array,
  cid: ConnectionId,
  claim: MeshClaim,
  proof: Uint8Array | undefined,
): boolean {
  return proof !== undefined && equalBytes(proof, meshProofOf(side, secret, cookie, cid, claim));
}
