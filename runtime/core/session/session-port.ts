/**
 * The door through which a session's queue puts media on the wire: fragments one by one, or several small ones in a
 * BUNDLE. Made with the queue, so a session that sends no media has neither.
 */
import type { Ms } from "../../base/time.ts";
import { AnswerCode } from "../../wire/feedback.ts";
import {
  encodeBundleItem,
  encodeDataHead,
  encodeNumberedHead,
  HEAD_BYTES,
  MAX_DATAGRAM,
  NUMBERED_BYTES,
  PacketType,
} from "../../wire/packet.ts";
import type { HotPath } from "../hot-path/hot-path.ts";
import type { SendItem, SendPort } from "../sending/send-queue-types.ts";
import type { NodeContext } from "./node-context.ts";
import type { Session } from "./session.ts";
import { type BundledFragment, PacketKind } from "./session-types.ts";

export class SessionPort implements SendPort {
  readonly #session: Session;
  readonly #context: NodeContext;
  readonly #hot: HotPath;
  readonly #bundles = new Map<number, BundledFragment[]>();
  #bundleNext = 0;

  constructor(session: Session, context: NodeContext) {
    this.#session = session;
    this.#context = context;
    this.#hot = context.hot;
  }

  srttMs(): number {
    return this.#session.srttMs();
  }

  minRttMs(): number {
    return this.#session.minRttMs();
  }

  lossRate(): number {
    return this.#session.lossRate();
  }

  bytesInFlight(): number {
    return this.#hot.bytesInFlight(this.#session.handle);
  }

  repairCopies(now: Ms, deadlineMs: number): number {
    return this.#hot.repairCopies(this.#session.handle, now, deadlineMs);
  }

  sendFragment(now: Ms, item: SendItem): number {
    const session = this.#session;
    const { outbox } = this.#context;
    if (!session.isOpen) return 0;
    const slot = this.#slotOf(item);
    if (slot === 0) return 0;
    if (!outbox.hasRoom(HEAD_BYTES)) return -1;
    const { stream, number, attempt } = item;
    const size = HEAD_BYTES + this.#hot.payloadLength(slot);
    const kind = PacketKind.fragment;
    const packet = this.#hot.packetSent(session.handle, now, kind, attempt, stream, number, size);
    if (packet < 0) return -1;
    if (attempt > 0) session.packetsResent++;
    encodeDataHead(
      this.#hot.bytes,
      outbox.reserve(HEAD_BYTES),
      session.remoteHi,
      session.remoteLo,
      packet & 0xffff,
      stream,
      number,
      item.index,
      item.total,
      item.flags,
    );
    return session.commit(now, HEAD_BYTES, slot);
  }

  sendBundle(now: Ms, items: readonly SendItem[], count: number): number {
    const session = this.#session;
    const { outbox } = this.#context;
    if (!session.isOpen) return 0;
    if (!outbox.hasRoom(MAX_DATAGRAM)) return -1;
    const at = outbox.reserve(MAX_DATAGRAM);
    const buf = this.#hot.bytes;
    const sent: BundledFragment[] = [];
    let end = at + NUMBERED_BYTES;
    for (let i = 0; i < count; i++) {
      const item = items[i] as SendItem;
      const slot = this.#slotOf(item);
      if (slot === 0) continue;
      const length = this.#hot.payloadLength(slot);
      end = encodeBundleItem(buf, end, item, length);
      const from = this.#hot.payloadPtr(slot);
      buf.copyWithin(end, from, from + length);
      end += length;
      const { stream, number, attempt } = item;
      sent.push({ stream, number, attempt, bytes: HEAD_BYTES + length });
    }
    if (sent.length === 0) return 0;
    const key = this.#bundleNext++ >>> 0;
    const size = end - at;
    const packet = this.#hot.packetSent(session.handle, now, PacketKind.bundle, 0, 0, key, size);
    if (packet < 0) return -1;
    for (const { attempt } of sent) if (attempt > 0) session.packetsResent++;
    this.#bundles.set(key, sent);
    const { remoteHi, remoteLo } = session;
    encodeNumberedHead(buf, at, PacketType.BUNDLE, remoteHi, remoteLo, packet & 0xffff);
    return session.commit(now, size, 0);
  }

  sendGone(now: Ms, stream: number, first: number, count: number): void {
    const { settler } = this.#session.queue;
    if (settler !== undefined) return settler.handleDropped(now, stream, first, count);
    const ranges = [{ first, count }];
    this.#session.sendAnswer(now, { stream, code: AnswerCode.gone, retryMs: 0, ranges });
  }

  /** The fragments of a settled BUNDLE, forgotten by this call. */
  takeBundle(key: number): readonly BundledFragment[] {
    const items = this.#bundles.get(key) ?? [];
    this.#bundles.delete(key);
    return items;
  }

  #slotOf(item: SendItem): number {
    const source = this.#session.sources.get(item.stream);
    return source === undefined ? 0 : this.#hot.fragmentSlot(source.store, item.number);
  }
}
