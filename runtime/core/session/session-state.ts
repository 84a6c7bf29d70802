/**
 * What a session knows, plainly: all that a packet in or out looks at stands in the one object, since a node has
 * thousands of sessions, and fetching each from memory is most of what a packet costs.
 */
import type { Ms } from "../../base/time.ts";
import type { Address } from "../../wire/address.ts";
import { ClockEstimate } from "../time/clock-estimate.ts";
import type { HeapMember } from "../time/timer-heap.ts";
import { AckTiming } from "./session-ack.ts";
import type { SessionControl } from "./session-control.ts";
import type {
  AckProfile,
  SessionHost,
  SessionIds,
  StreamSink,
  StreamSource,
} from "./session-types.ts";
import { StreamTable } from "./stream-table.ts";

export class SessionState extends AckTiming implements HeapMember {
  heapIndex = -1;
  heapDeadline = 0;
  /** Its timers may have changed (node-context.ts). */
  isDirty = false;
  isOpen = true;
  /* Its connection ids, ours and the other side's. */
  readonly localHi: number;
  readonly localLo: number;
  readonly remoteHi: number;
  readonly remoteLo: number;
  address: Address;
  readonly since: Ms;
  /** Of the hot path's session. */
  readonly handle: number;
  readonly host: SessionHost;
  /* UDP payload bytes, and packets. */
  bytesIn = 0;
  bytesOut = 0;
  packetsLost = 0;
  packetsResent = 0;
  /** Acknowledged after they were taken for lost. */
  packetsSpurious = 0;
  /** An ACK has given the hot path a round-trip time. */
  hasRttSample = false;
  /** Round trip of a PING answered after the last of those, ms; Infinity = none was. */
  pongRttMs = Number.POSITIVE_INFINITY;
  /** Least round trip of a PING, ms; Infinity before the first answer. */
  leastPongMs = Number.POSITIVE_INFINITY;
  readonly sinks = new StreamTable<StreamSink>();
  readonly sources = new StreamTable<StreamSource>();
  /** Made with the first message that comes or goes. */
  control: SessionControl | undefined;
  /** What the host keeps of the other side: so it need not look that up by session. */
  attached: object | undefined;
  /** What the other side calls itself. */
  agent = "";
  #streamIndex = 0;
  #clock: ClockEstimate | undefined;

  constructor(
    handle: number,
    host: SessionHost,
    ids: SessionIds,
    address: Address,
    now: Ms,
    ack: AckProfile,
  ) {
    super(ack);
    this.handle = handle;
    this.host = host;
    this.localHi = ids.localHi;
    this.localLo = ids.localLo;
    this.remoteHi = ids.remoteHi;
    this.remoteLo = ids.remoteLo;
    this.address = address;
    this.since = now;
  }

  /** What the other side's clock shows. Among peers nobody asks, so it is not kept. */
  get clock(): ClockEstimate {
    this.#clock ??= new ClockEstimate();
    return this.#clock;
  }

  /** The next free index for a stream we send on this session, 1..65535. */
  nextStreamIndex(): number {
    this.#streamIndex = (this.#streamIndex % 0xffff) + 1;
    return this.#streamIndex;
  }

  /** Pushed fragments lost on this session are asked for by their receiver. */
  get isReceiverRepaired(): boolean {
    return this.ackProfile.repairs === "receiver";
  }
}
