/**
 * The packets before a session stands (docs/WIRE.md §1, §5). All begin with the type and the initiator's connection id;
 * encoders give whole datagrams, decoders undefined for anything malformed. Rare, so clarity goes before speed.
 */
import { assert } from "../base/assert.ts";
import {
  ADDRESS_BYTES_MAX,
  type Address,
  addressBytes,
  addressFromBytes,
  decodeAddress,
  encodeAddress,
  encodedAddressBytes,
} from "./address.ts";
import {
  bytesField,
  decodeFields,
  encodeFields,
  type Fields,
  integerField,
  mapField,
  textField,
} from "./cbor.ts";
import { CloseCode, closeCodeFromWire } from "./close-code.ts";
import { SUB_STREAMS_MAX } from "./control-swarm.ts";
import { PROOF_BYTES } from "./cookie.ts";
import { MESH_NAME_CHARACTERS_MAX, type MeshClaim } from "./mesh-proof.ts";
import { type ConnectionId, MAX_DATAGRAM, PacketType, putU16, putU32, u16, u32 } from "./packet.ts";
import { STREAM_NAME_CHARACTERS_MAX, type StreamInfo, streamInfoOf } from "./stream-info.ts";
import { printable, printableText, utf8Within } from "./text.ts";

/** The version this code speaks. */
export const WIRE_VERSION = 1;
/** A HELLO is padded to this, so that every answer to it can be smaller. */
export const HELLO_BYTES_MIN = 64;
/** Versions one HELLO or VERSIONS may list; VERSIONS then stays below HELLO_BYTES_MIN. */
export const VERSIONS_MAX = 16;
export const COOKIE_BYTES_MAX = 40;
export const CONNECT_PARAMS_BYTES_MAX = 1000;
export const AGENT_CHARACTERS_MAX = 64;
export const REFUSE_REASON_BYTES_MAX = 200;
export const NODE_ID_BYTES = 8;
/** Edges that a REFUSE of code `moved` may name. */
export const MOVED_ADDRESSES_MAX = 4;

const MAGIC = 0x53484f41; /* "SHOA" */
const U32_MAX = 0xffff_ffff;

export const ROLES = ["publisher", "viewer", "edge", "peer"] as const;
export type Role = (typeof ROLES)[number];

/* ------------------------------------------------------------------ HELLO */

export interface HelloPacket {
  readonly cid: ConnectionId;
  /** 1..16, most wanted first. */
  readonly versions: readonly number[];
}

/**
 *  0      1            5                      13      14
 * +------+------------+----------------------+-------+----------------+----------------
 * | 0x01 | "SHOA"     | initiator's id       | count | versions, 2 B… | zeros to 64 B
 * +------+------------+----------------------+-------+----------------+----------------
 */
export function encodeHello(hello: HelloPacket): Uint8Array {
  const bytes = new Uint8Array(HELLO_BYTES_MIN);
  bytes[0] = PacketType.HELLO;
  putVersions(bytes, putCid(bytes, putU32(bytes, 1, MAGIC), hello.cid), hello.versions);
  return bytes;
}

export function decodeHello(data: Uint8Array): HelloPacket | undefined {
  if (data.length < HELLO_BYTES_MIN || data[0] !== PacketType.HELLO) return undefined;
  if (data.length > MAX_DATAGRAM || u32(data, 1) !== MAGIC) return undefined;
  const versions = versionsAt(data, 13);
  return versions === undefined ? undefined : { cid: cidAt(data, 5), versions };
}

/* ------------------------------------------------------------------ COOKIE, VERSIONS */

export interface CookiePacket {
  readonly cid: ConnectionId;
  readonly version: number;
  /** 1..40 B, opaque to the initiator. */
  readonly cookie: Uint8Array;
}

export function encodeCookie(packet: CookiePacket): Uint8Array {
  const bytes = new Uint8Array(12 + packet.cookie.length);
  putCookie(bytes, PacketType.COOKIE, packet);
  return bytes;
}

export function decodeCookie(data: Uint8Array): CookiePacket | undefined {
  const packet = data[0] === PacketType.COOKIE ? cookieAt(data) : undefined;
  return packet !== undefined && data.length === 12 + packet.cookie.length ? packet : undefined;
}

export interface VersionsPacket {
  readonly cid: ConnectionId;
  /** What the responder speaks, 1..16. */
  readonly versions: readonly number[];
}

export function encodeVersions(packet: VersionsPacket): Uint8Array {
  const bytes = new Uint8Array(10 + packet.versions.length * 2);
  bytes[0] = PacketType.VERSIONS;
  putVersions(bytes, putCid(bytes, 1, packet.cid), packet.versions);
  return bytes;
}

export function decodeVersions(data: Uint8Array): VersionsPacket | undefined {
  if (data[0] !== PacketType.VERSIONS) return undefined;
  const versions = versionsAt(data, 9);
  if (versions === undefined || data.length !== 10 + versions.length * 2) return undefined;
  return { cid: cidAt(data, 1), versions };
}

/* ------------------------------------------------------------------ CONNECT */

export interface ConnectParams {
  readonly role: Role;
  /** The stream to publish or watch. */
  readonly stream: string;
  /** Program and version, ≤ 64 characters. */
  readonly agent: string;
  /** 8 B, the same for all sessions of a node's life. */
  readonly node: Uint8Array;
  /** A publisher's or peer's, u32. */
  readonly epoch?: number | undefined;
  /** A child's: sub-streams wanted of `k`, and the first fragment to begin with (docs/WIRE.md §8). */
  readonly mask?: number | undefined;
  readonly k?: number | undefined;
  readonly from?: number | undefined;
  /** How many edges in a row have sent it on, 1..255; absent = none. */
  readonly moved?: number | undefined;
  /** 1: a viewer that uploads nothing to others; absent = it may. */
  readonly consumes?: number | undefined;
  /** A publisher's, 32 B: cookie.ts `proofOf`; an edge's: mesh-proof.ts. */
  readonly proof?: Uint8Array | undefined;
  /** An edge's. */
  readonly claim?: MeshClaim | undefined;
}

export interface ConnectPacket extends CookiePacket {
  readonly params: ConnectParams;
}

/**
 *  0      1                      9         11      12
 * +------+----------------------+---------+-------+---------+-----------
 * | 0x04 | initiator's id       | version | bytes | cookie… | CBOR map…
 * +------+----------------------+---------+-------+---------+-----------
 */
export function encodeConnect(packet: ConnectPacket): Uint8Array {
  const params = encodeFields(connectFields(packet.params));
  assert(params.length <= CONNECT_PARAMS_BYTES_MAX, "CONNECT parameters too long");
  const bytes = new Uint8Array(12 + packet.cookie.length + params.length);
  bytes.set(params, putCookie(bytes, PacketType.CONNECT, packet));
  return bytes;
}

export function decodeConnect(data: Uint8Array): ConnectPacket | undefined {
  const packet = data[0] === PacketType.CONNECT ? cookieAt(data) : undefined;
  if (packet === undefined) return undefined;
  const bytes = data.subarray(12 + packet.cookie.length);
  if (bytes.length > CONNECT_PARAMS_BYTES_MAX) return undefined;
  const fields = decodeFields(bytes);
  const params = fields === undefined ? undefined : connectParamsOf(fields);
  return params === undefined ? undefined : { ...packet, params };
}

/** The claim as a map of its own, its address as bytes. */
function connectFields(params: ConnectParams): Fields {
  const { claim } = params;
  if (claim === undefined) return { ...params };
  return { ...params, claim: { ...claim, at: addressBytes(claim.at) } };
}

function claimOf(fields: Fields): MeshClaim | undefined {
  const map = mapField(fields, "claim");
  if (map === undefined) return undefined;
  const edge = nameOf(map, "edge");
  const line = nameOf(map, "line");
  const to = nameOf(map, "to");
  const at = addressFromBytes(map["at"]);
  if (edge === undefined || line === undefined) return undefined;
  return to === undefined || at === undefined ? undefined : { edge, line, to, at };
}

/** A name without control characters, so that names joined by NUL stay apart. */
function nameOf(fields: Fields, field: string): string | undefined {
  const name = textField(fields, field, MESH_NAME_CHARACTERS_MAX);
  return name === undefined || name === "" || printable(name) !== name ? undefined : name;
}

function connectParamsOf(fields: Fields): ConnectParams | undefined {
  const role = ROLES.find((known) => known === fields["role"]);
  const stream = textField(fields, "stream", STREAM_NAME_CHARACTERS_MAX);
  const agent = textField(fields, "agent", AGENT_CHARACTERS_MAX);
  const node = bytesField(fields, "node", NODE_ID_BYTES);
  if (role === undefined || stream === undefined) return undefined;
  if (agent === undefined || node === undefined) return undefined;
  const optional = {
    epoch: integerField(fields, "epoch", 0, U32_MAX),
    proof: bytesField(fields, "proof", PROOF_BYTES),
    mask: integerField(fields, "mask", 0, U32_MAX),
    k: integerField(fields, "k", 1, SUB_STREAMS_MAX),
    from: integerField(fields, "from", 0, U32_MAX),
    moved: integerField(fields, "moved", 1, 255),
    consumes: integerField(fields, "consumes", 1, 1),
    claim: claimOf(fields),
  };
  for (const [name, value] of Object.entries(optional)) {
    if (value === undefined && fields[name] !== undefined) return undefined;
  }
  return { role, stream, agent: printable(agent), node, ...optional };
}

/* ------------------------------------------------------------------ ACCEPT, REFUSE */

export interface AcceptParams {
  readonly agent: string;
  /** 8 B, the same for all sessions of a node's life. */
  readonly node: Uint8Array;
  /** The stream that is about to be sent, when the responder knows it already. */
  readonly stream?: StreamInfo | undefined;
  /** An edge's to an edge, 32 B: mesh-proof.ts. */
  readonly proof?: Uint8Array | undefined;
}

export interface AcceptPacket {
  /** The initiator's. */
  readonly cid: ConnectionId;
  /** The responder's: what the initiator sends to from now on. */
  readonly own: ConnectionId;
  readonly params: AcceptParams;
}

export function encodeAccept(packet: AcceptPacket): Uint8Array {
  const params = encodeFields({ ...packet.params });
  const bytes = new Uint8Array(17 + params.length);
  assert(bytes.length <= MAX_DATAGRAM, "ACCEPT parameters too long");
  bytes[0] = PacketType.ACCEPT;
  bytes.set(params, putCid(bytes, putCid(bytes, 1, packet.cid), packet.own));
  return bytes;
}

export function decodeAccept(data: Uint8Array): AcceptPacket | undefined {
  if (data[0] !== PacketType.ACCEPT || data.length > MAX_DATAGRAM) return undefined;
  const fields = data.length > 17 ? decodeFields(data.subarray(17)) : undefined;
  const agent = fields === undefined ? undefined : textField(fields, "agent", AGENT_CHARACTERS_MAX);
  const node = fields === undefined ? undefined : bytesField(fields, "node", NODE_ID_BYTES);
  if (fields === undefined || agent === undefined || node === undefined) return undefined;
  const map = mapField(fields, "stream");
  const stream = map === undefined ? undefined : streamInfoOf(map);
  if (stream === undefined && fields["stream"] !== undefined) return undefined;
  const proof = bytesField(fields, "proof", PROOF_BYTES);
  if (proof === undefined && fields["proof"] !== undefined) return undefined;
  const params = { agent: printable(agent), node, stream, proof };
  return { cid: cidAt(data, 1), own: cidAt(data, 9), params };
}

export interface RefusePacket {
  readonly cid: ConnectionId;
  readonly code: CloseCode;
  /** u32; 0 = it makes no sense to ask again. */
  readonly retryMs: number;
  /** For people; at most 200 B of UTF-8, no control characters. */
  readonly reason: string;
  /** Code `moved` alone has them: edges to ask instead, 1..4, best first. */
  readonly to?: readonly Address[] | undefined;
}

/**
 *  0      1                      9      11                15
 * +------+----------------------+------+-----------------+---------
 * | 0x06 | initiator's id       | code | retry-after ms  | reason…
 * +------+----------------------+------+-----------------+---------
 * Code 11 has count (1) and so many addresses in front of the reason.
 */
export function encodeRefuse(packet: RefusePacket): Uint8Array {
  const reason = utf8Within(packet.reason, REFUSE_REASON_BYTES_MAX);
  const to = packet.to ?? [];
  assert((packet.code === CloseCode.moved) === to.length > 0, "REFUSE: `moved` names edges");
  assert(to.length <= MOVED_ADDRESSES_MAX, "REFUSE: 1..4 edges");
  const bytes = new Uint8Array(16 + to.length * ADDRESS_BYTES_MAX + reason.length);
  bytes[0] = PacketType.REFUSE;
  const codeAt = putCid(bytes, 1, packet.cid);
  let at = putU32(bytes, putU16(bytes, codeAt, packet.code), packet.retryMs);
  if (to.length > 0) bytes[at++] = to.length;
  for (const address of to) at = encodeAddress(bytes, at, address);
  bytes.set(reason, at);
  return bytes.slice(0, at + reason.length);
}

export function decodeRefuse(data: Uint8Array): RefusePacket | undefined {
  if (data[0] !== PacketType.REFUSE || data.length < 15) return undefined;
  const code = closeCodeFromWire(u16(data, 9));
  const moved = code === CloseCode.moved ? addressesAt(data, 15) : { to: undefined, end: 15 };
  if (moved === undefined || data.length > moved.end + REFUSE_REASON_BYTES_MAX) return undefined;
  const reason = printableText(data.subarray(moved.end));
  const refuse = { cid: cidAt(data, 1), code, retryMs: u32(data, 11), reason };
  return moved.to === undefined ? refuse : { ...refuse, to: moved.to };
}

/* ------------------------------------------------------------------ parts */

function addressesAt(data: Uint8Array, at: number): { to: Address[]; end: number } | undefined {
  const count = data[at] ?? 0;
  if (count < 1 || count > MOVED_ADDRESSES_MAX) return undefined;
  const to: Address[] = [];
  let end = at + 1;
  for (let i = 0; i < count; i++) {
    const address = decodeAddress(data, end);
    if (address === undefined) return undefined;
    to.push(address);
    end += encodedAddressBytes(data, end);
  }
  return { to, end };
}

function putCid(bytes: Uint8Array, at: number, cid: ConnectionId): number {
  return putU32(bytes, putU32(bytes, at, cid.hi), cid.lo);
}

function cidAt(data: Uint8Array, at: number): ConnectionId {
  return { hi: u32(data, at), lo: u32(data, at + 4) };
}

function putVersions(bytes: Uint8Array, at: number, versions: readonly number[]): void {
  assert(versions.length >= 1 && versions.length <= VERSIONS_MAX, "1..16 versions");
  bytes[at] = versions.length;
  let i = at + 1;
  for (const version of versions) i = putU16(bytes, i, version);
}

function versionsAt(data: Uint8Array, at: number): number[] | undefined {
  const count = data[at] ?? 0;
  if (count < 1 || count > VERSIONS_MAX || at + 1 + count * 2 > data.length) return undefined;
  return Array.from({ length: count }, (_, i) => u16(data, at + 1 + i * 2));
}

/** Writes what COOKIE and CONNECT have in common; returns the offset behind it. */
function putCookie(bytes: Uint8Array, type: number, packet: CookiePacket): number {
  const { cookie } = packet;
  assert(cookie.length >= 1 && cookie.length <= COOKIE_BYTES_MAX, "cookie: 1..40 bytes");
  bytes[0] = type;
  const lengthAt = putU16(bytes, putCid(bytes, 1, packet.cid), packet.version);
  bytes[lengthAt] = cookie.length;
  bytes.set(cookie, lengthAt + 1);
  return lengthAt + 1 + cookie.length;
}

function cookieAt(data: Uint8Array): CookiePacket | undefined {
  const bytes = data[11] ?? 0;
  if (bytes < 1 || bytes > COOKIE_BYTES_MAX || 12 + bytes > data.length) return undefined;
  return { cid: cidAt(data, 1), version: u16(data, 9), cookie: data.slice(12, 12 + bytes) };
}
