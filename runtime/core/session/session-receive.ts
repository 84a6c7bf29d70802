/**
 * What one datagram of an established session does: decoded here, acted on in session.ts and by the session's host.
 * Every path is total: bytes that no encoder writes are refused (false) or, where they contradict the protocol under
 * a valid connection id, thrown as a ProtocolViolation that costs the sender its session.
 */
import { type Ms, ms } from "../../base/time.ts";
import type { Address } from "../../wire/address.ts";
import {
  decodeAnswer,
  decodeClock,
  decodeClose,
  decodeFeedback,
  decodePing,
  decodePong,
  decodeRequest,
  decodeToken,
  encodePong,
} from "../../wire/feedback.ts";
import {
  ackBodyBytes,
  BUNDLE_ITEM_BYTES,
  BUNDLE_ITEMS_MAX,
  bodyFits,
  decodeBundleItem,
  decodeFragmentHeader,
  type FragmentHeader,
  HEAD_BYTES,
  ID_BYTES,
  NUMBERED_BYTES,
  PacketType,
  u16,
  u32,
} from "../../wire/packet.ts";
import { expandClock, toClockUnits } from "../../wire/segment.ts";
import { decodeMap, decodeReport, decodeTrain } from "../../wire/swarm.ts";
import { TrainMeter } from "../time/train-meter.ts";
import type { NodeContext } from "./node-context.ts";
import type { Session } from "./session.ts";
import { PONG_AGE_MS } from "./session-types.ts";

const header: FragmentHeader = { stream: 0, number: 0, index: 0, total: 0, flags: 0 };

/** Handles `data` (its tail in `slot` when that is not 0) of `session`. False when it was refused. */
export function receivePacket(
  context: NodeContext,
  now: Ms,
  session: Session,
  from: Address,
  data: Uint8Array,
  slot: number,
): boolean {
  const tail = slot === 0 ? 0 : context.hot.payloadLength(slot);
  session.handleArrival(now, from, data.length + tail);
  switch (data[0]) {
    case PacketType.DATA:
      return receiveData(now, session, data, slot, tail);
    case PacketType.BUNDLE:
      return receiveBundle(now, session, data);
    case PacketType.CONTROL:
      return receiveControl(now, session, data);
    case PacketType.ACK:
      return receiveAck(context, now, session, data);
    default:
      return receiveUnnumbered(now, session, from, data);
  }
}

function receiveData(
  now: Ms,
  session: Session,
  data: Uint8Array,
  slot: number,
  tail: number,
): boolean {
  if (!decodeFragmentHeader(data, NUMBERED_BYTES, header)) return false;
  const at = HEAD_BYTES;
  const length = slot === 0 ? data.length - at : tail;
  if (!bodyFits(header, length)) return false;
  const sink = session.sinks.get(header.stream);
  if (sink === undefined) return true; /* not yet known: left unacknowledged, it will come again */
  if (!session.handleNumbered(now, u16(data, ID_BYTES))) return true;
  sink.handleFragment(now, session, header, data, at, at + length, slot);
  return true;
}

function receiveBundle(now: Ms, session: Session, data: Uint8Array): boolean {
  /* Twice over the items: first whether all are well-formed and known, then to take them. */
  let count = 0;
  for (let at = NUMBERED_BYTES; at < data.length; count++) {
    at = count < BUNDLE_ITEMS_MAX ? decodeBundleItem(data, at, header) : 0;
    if (at === 0) return false;
    if (!session.sinks.has(header.stream)) return true;
  }
  if (count === 0) return false;
  if (!session.handleNumbered(now, u16(data, ID_BYTES))) return true;
  for (let at = NUMBERED_BYTES; at < data.length && session.isOpen; ) {
    const end = decodeBundleItem(data, at, header);
    const sink = session.sinks.get(header.stream);
    sink?.handleFragment(now, session, header, data, at + BUNDLE_ITEM_BYTES, end, 0);
    at = end;
  }
  return true;
}

function receiveControl(now: Ms, session: Session, data: Uint8Array): boolean {
  const at = NUMBERED_BYTES + 4;
  if (data.length < at) return false;
  if (!session.handleNumbered(now, u16(data, ID_BYTES), true)) return true;
  if (data.length > at)
    session.handleControlBytes(now, u32(data, NUMBERED_BYTES), data.subarray(at));
  return true;
}

function receiveAck(context: NodeContext, now: Ms, session: Session, data: Uint8Array): boolean {
  const length = ackBodyBytes(data, ID_BYTES);
  if (length === 0) return false;
  const end = ID_BYTES + length;
  const scratch = context.outbox.scratchPtr;
  const { bytes } = context.hot;
  /* So short that a loop is quicker than a call, and needs no view. */
  for (let i = 0; i < length; i++) bytes[scratch + i] = data[ID_BYTES + i] as number;
  context.settle(now, session, context.hot.ackParse(session.handle, now, scratch, length));
  if (end < data.length && session.isOpen) receiveFeedback(now, session, data, end);
  return true;
}

function receiveFeedback(now: Ms, session: Session, data: Uint8Array, at: number): boolean {
  const entries = decodeFeedback(data, at);
  if (entries === undefined) return false;
  for (const entry of entries) session.host.handleFeedback(now, session, entry);
  return true;
}

function receiveUnnumbered(now: Ms, session: Session, from: Address, data: Uint8Array): boolean {
  switch (data[0]) {
    case PacketType.FEEDBACK:
      return receiveFeedback(now, session, data, ID_BYTES);
    case PacketType.CLOCK: {
      const entries = decodeClock(data, ID_BYTES);
      for (const entry of entries ?? []) session.host.handleClock(now, session, entry);
      return entries !== undefined;
    }
    case PacketType.REQUEST: {
      const request = decodeRequest(data, ID_BYTES);
      if (request !== undefined) session.host.handleRequest(now, session, request);
      return request !== undefined;
    }
    case PacketType.ANSWER: {
      const answer = decodeAnswer(data, ID_BYTES);
      if (answer !== undefined) session.host.handleAnswer(now, session, answer);
      return answer !== undefined;
    }
    case PacketType.MAP: {
      const map = decodeMap(data, ID_BYTES);
      if (map !== undefined) session.host.handleMap(now, session, map);
      return map !== undefined;
    }
    case PacketType.REPORT: {
      const report = decodeReport(data, ID_BYTES);
      if (report !== undefined) session.host.handleReport(now, session, report);
      return report !== undefined;
    }
    case PacketType.CLOSE: {
      const close = decodeClose(data, ID_BYTES);
      if (close !== undefined) session.handlePeerClose(now, close.code, close.reason);
      return close !== undefined;
    }
    default:
      return receivePathPacket(now, session, from, data);
  }
}

function receivePathPacket(now: Ms, session: Session, from: Address, data: Uint8Array): boolean {
  switch (data[0]) {
    case PacketType.PING: {
      const ping = decodePing(data, ID_BYTES);
      if (ping === undefined) return false;
      const units = toClockUnits(now);
      session.sendUnnumbered(now, PacketType.PONG, (buf, at) =>
        encodePong(buf, at, ping.number, ping.clock, units, units),
      );
      return true;
    }
    case PacketType.PONG: {
      const pong = decodePong(data, ID_BYTES);
      if (pong === undefined) return false;
      const sentAt = expandClock(pong.echoed, now);
      if (sentAt > now || now - sentAt > PONG_AGE_MS) return true;
      session.handlePong(now, ms(sentAt), pong.received, pong.sent);
      session.host.handlePong?.(now, session, pong.number, now - sentAt);
      return true;
    }
    case PacketType.CHALLENGE: {
      const token = decodeToken(data, ID_BYTES);
      if (token === undefined) return false;
      session.sendUnnumbered(now, PacketType.RESPONSE, (buf, at) => {
        buf.set(token, at);
        return at + token.length;
      });
      return true;
    }
    case PacketType.TRAIN: {
      const train = decodeTrain(data, ID_BYTES);
      if (train < 0) return false;
      session.train ??= new TrainMeter();
      session.train.handle(now, train, data.length);
      return true;
    }
    case PacketType.RESPONSE: {
      const token = decodeToken(data, ID_BYTES);
      if (token !== undefined) session.handleChallengeResponse(now, from, token);
      return token !== undefined;
    }
    default:
      return false;
  }
}
