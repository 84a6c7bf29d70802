/**
 * How each kind of golden vector is written and read: whole datagrams from type byte to end, segment headers, encoded
 * addresses, framed control messages. The JSON files hold bytes as hex; `{"$hex": …}` stands for a byte string.
 */
import { type Address, decodeAddress, encodeAddress } from "../address.ts";
import { type ControlMessage, ControlReader, encodeControl } from "../control.ts";
import {
  type AnswerPacket,
  type ClockEntry,
  type ClosePacket,
  decodeAnswer,
  decodeClock,
  decodeClose,
  decodeFeedback,
  decodePing,
  decodePong,
  decodeRequest,
  decodeToken,
  encodeAnswer,
  encodeChallenge,
  encodeClock,
  encodeClose,
  encodeFeedback,
  encodePing,
  encodePong,
  encodeRequest,
  type FeedbackEntry,
  type PingPacket,
  type PongPacket,
  type RequestPacket,
} from "../feedback.ts";
import * as handshake from "../handshake.ts";
import {
  type ConnectionId,
  cidHi,
  cidLo,
  decodeFragmentHeader,
  encodeBundleItem,
  encodeControlHead,
  encodeDataHead,
  encodeIdHead,
  encodeNumberedHead,
  type FragmentHeader,
  forEachBundled,
  HEAD_BYTES,
  ID_BYTES,
  isConnected,
  NUMBERED_BYTES,
  PacketType,
  u16,
  u32,
} from "../packet.ts";
import { decodeSegmentHeader, encodeSegmentHeader, type SegmentHeader } from "../segment.ts";
import {
  decodeMap,
  decodePeerRef,
  decodeReport,
  decodeTrain,
  encodeMap,
  encodePeerRef,
  encodePunch,
  encodeReport,
  encodeTrain,
  type MapPacket,
  type PeerRef,
  type ReportPacket,
} from "../swarm.ts";

export interface VectorCodec {
  encode(decoded: never): Uint8Array;
  /** Undefined when refused. */
  decode(bytes: Uint8Array): unknown;
}

type Body = Uint8Array;

/** An unnumbered packet of a session: `decoded` is its connection id and `body`. */
function connected<T>(
  type: number,
  put: (buf: Uint8Array, at: number, body: T) => number,
  decodeBody: (data: Uint8Array, at: number) => T | undefined,
): VectorCodec {
  return {
    encode({ cid, body }: { cid: ConnectionId; body: T }) {
      const buf = new Uint8Array(1200);
      return buf.slice(0, put(buf, encodeIdHead(buf, 0, type, cid.hi, cid.lo), body));
    },
    decode(data) {
      if (!isConnected(data) || data[0] !== type) return undefined;
      const body = decodeBody(data, ID_BYTES);
      return body && { cid: { hi: cidHi(data), lo: cidLo(data) }, body };
    },
  };
}

interface DataVector {
  readonly cid: ConnectionId;
  readonly number16: number;
  readonly header: FragmentHeader;
  readonly body: Body;
}

const data: VectorCodec = {
  encode({ cid, number16, header, body }: DataVector) {
    const { stream, number, index, total, flags } = header;
    const buf = new Uint8Array(HEAD_BYTES + body.length);
    const { hi, lo } = cid;
    encodeDataHead(buf, 0, hi, lo, number16, stream, number, index, total, flags);
    buf.set(body, HEAD_BYTES);
    return buf;
  },
  decode(bytes) {
    const header = { stream: 0, number: 0, index: 0, total: 0, flags: 0 };
    if (bytes[0] !== PacketType.DATA) return undefined;
    if (!decodeFragmentHeader(bytes, NUMBERED_BYTES, header)) return undefined;
    return { ...numbered(bytes), header, body: bytes.slice(HEAD_BYTES) };
  },
};

interface BundleVector {
  readonly cid: ConnectionId;
  readonly number16: number;
  readonly items: readonly { readonly header: FragmentHeader; readonly body: Body }[];
}

const bundle: VectorCodec = {
  encode({ cid, number16, items }: BundleVector) {
    const buf = new Uint8Array(1200);
    let at = encodeNumberedHead(buf, 0, PacketType.BUNDLE, cid.hi, cid.lo, number16);
    for (const { header, body } of items) {
      at = encodeBundleItem(buf, at, header, body.length);
      buf.set(body, at);
      at += body.length;
    }
    return buf.slice(0, at);
  },
  decode(bytes) {
    const items: { header: FragmentHeader; body: Body }[] = [];
    const header = { stream: 0, number: 0, index: 0, total: 0, flags: 0 };
    const isWhole = forEachBundled(bytes, NUMBERED_BYTES, header, (item, from, to) => {
      items.push({ header: { ...item }, body: bytes.slice(from, to) });
    });
    if (!isWhole || bytes[0] !== PacketType.BUNDLE) return undefined;
    return { ...numbered(bytes), items };
  },
};

interface ControlVector {
  readonly cid: ConnectionId;
  readonly number16: number;
  readonly offset: number;
  readonly message: ControlMessage;
}

/** A CONTROL packet that carries exactly one message. */
const control: VectorCodec = {
  encode({ cid, number16, offset, message }: ControlVector) {
    const piece = encodeControl(message);
    const buf = new Uint8Array(1200);
    const at = encodeControlHead(buf, 0, cid.hi, cid.lo, number16, offset);
    buf.set(piece, at);
    return buf.slice(0, at + piece.length);
  },
  decode(bytes) {
    if (bytes[0] !== PacketType.CONTROL || bytes.length < NUMBERED_BYTES + 4) return undefined;
    const [message] = new ControlReader().push(bytes.subarray(NUMBERED_BYTES + 4));
    return message && { ...numbered(bytes), offset: u32(bytes, NUMBERED_BYTES), message };
  },
};

function numbered(bytes: Uint8Array): { cid: ConnectionId; number16: number } {
  return { cid: { hi: cidHi(bytes), lo: cidLo(bytes) }, number16: u16(bytes, ID_BYTES) };
}

export const vectorCodecs: Readonly<Record<string, VectorCodec>> = {
  HELLO: { encode: handshake.encodeHello, decode: handshake.decodeHello },
  COOKIE: { encode: handshake.encodeCookie, decode: handshake.decodeCookie },
  VERSIONS: { encode: handshake.encodeVersions, decode: handshake.decodeVersions },
  CONNECT: { encode: handshake.encodeConnect, decode: handshake.decodeConnect },
  ACCEPT: { encode: handshake.encodeAccept, decode: handshake.decodeAccept },
  REFUSE: { encode: handshake.encodeRefuse, decode: handshake.decodeRefuse },
  DATA: data,
  BUNDLE: bundle,
  CONTROL: control,
  PING: connected<PingPacket>(
    PacketType.PING,
    (buf, at, { number, clock }) => encodePing(buf, at, number, clock),
    decodePing,
  ),
  PONG: connected<PongPacket>(
    PacketType.PONG,
    (buf, at, p) => encodePong(buf, at, p.number, p.echoed, p.received, p.sent),
    decodePong,
  ),
  FEEDBACK: connected<readonly FeedbackEntry[]>(
    PacketType.FEEDBACK,
    encodeFeedback,
    decodeFeedback,
  ),
  CLOCK: connected<readonly ClockEntry[]>(PacketType.CLOCK, encodeClock, decodeClock),
  REQUEST: connected<RequestPacket>(PacketType.REQUEST, encodeRequest, decodeRequest),
  ANSWER: connected<AnswerPacket>(PacketType.ANSWER, encodeAnswer, decodeAnswer),
  CHALLENGE: connected<Uint8Array>(PacketType.CHALLENGE, encodeChallenge, decodeToken),
  RESPONSE: connected<Uint8Array>(PacketType.RESPONSE, encodeChallenge, decodeToken),
  CLOSE: connected<ClosePacket>(
    PacketType.CLOSE,
    (buf, at, { code, reason }) => encodeClose(buf, at, code, reason),
    decodeClose,
  ),
  MAP: connected<MapPacket>(
    PacketType.MAP,
    (buf, at, { stream, base, run, spareBps, bits }) =>
      encodeMap(buf, at, stream, base, run, spareBps, bits.length, (place) => buf.set(bits, place)),
    decodeMap,
  ),
  REPORT: connected<ReportPacket>(PacketType.REPORT, encodeReport, decodeReport),
  TRAIN: connected<number>(PacketType.TRAIN, encodeTrain, (data, at) => {
    const train = decodeTrain(data, at);
    return train < 0 ? undefined : train;
  }),
  /* Never answered, so never decoded: only its shape is told. */
  PUNCH: {
    encode: ({ node }: { node: Uint8Array }) => encodePunch(node),
    decode: (bytes) => (bytes[0] === PacketType.PUNCH ? { node: bytes.slice(1) } : undefined),
  },
  peer: { encode: (peer: PeerRef) => encodePeerRef(peer), decode: decodePeerRef },
  segment: {
    encode(header: SegmentHeader) {
      const buf = new Uint8Array(64);
      return buf.slice(0, encodeSegmentHeader(buf, 0, header));
    },
    decode: (bytes) => decodeSegmentHeader(bytes),
  },
  address: {
    encode(address: Address) {
      const buf = new Uint8Array(32);
      return buf.slice(0, encodeAddress(buf, 0, address));
    },
    decode: (bytes) => decodeAddress(bytes, 0),
  },
};
