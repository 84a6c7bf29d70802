/**
 * The receivers of the `fanout` bench, as little of them as will do: sockets emptied by `recvmmsg` each millisecond,
 * the kernel leaving together what came together (UDP_GRO: what the sender's cutting costs is then paid here, as a
 * network card would), each session's packet numbers noted and acknowledged by a viewer's own rule.
 * `sink.ts SOCKETS RECEIVERS LOSS` prints its ports as JSON, then on SIGTERM what came. A share of packets is taken for
 * lost, so that the edge has to repeat them.
 */
import { Prng } from "../../runtime/base/prng.ts";
import { type Ms, ms } from "../../runtime/base/time.ts";
import { AckTiming } from "../../runtime/core/session/session-ack.ts";
import { ACK_FAST } from "../../runtime/core/session/session-types.ts";
import { AddressTable } from "../../runtime/io/address-table.ts";
import { systemClock } from "../../runtime/io/clock.ts";
import { DatagramBatch } from "../../runtime/io/datagram-batch.ts";
import { GsoSender } from "../../runtime/io/linux/gso-sender.ts";
import { type Libc, openLibc, SOL_UDP, UDP_GRO } from "../../runtime/io/linux/libc.ts";
import { MessageCalls } from "../../runtime/io/linux/message-calls.ts";
import { BURST_BYTES, MessageReceiver } from "../../runtime/io/linux/receiver.ts";
import { HeardAddresses, SOCKADDR, Sockaddrs } from "../../runtime/io/linux/sockaddrs.ts";
import { createHotPath } from "../../runtime/wasm/create.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { encodeIdHead, ID_BYTES, PacketType, u16, u32 } from "../../runtime/wire/packet.ts";
import { openSocket } from "./plain-socket.ts";

const EDGE_ID_HIGH = 1;
const PLACES = 32;
const POLL_MS = 1;
const RECEIVE_BYTES = 4 << 20;

const [sockets = 1, receivers = 1, loss = 0] = process.argv.slice(2).map(Number);
const hot = createHotPath({ memoryMiB: 64 });
const random = new Prng(1);
const heard = new HeardAddresses(new AddressTable());
const got = { datagrams: 0, bytes: 0, acks: 0, lost: 0, fresh: 0, latestMs: 0 };

interface Viewer {
  readonly handle: number;
  readonly id: number;
  readonly timing: AckTiming;
  /** Where the edge is, and by which socket it is answered. */
  from: Address | undefined;
  ear: Ear | undefined;
  isWaiting: boolean;
}

const viewers: Viewer[] = Array.from({ length: receivers }, (_, i) => ({
  handle: hot.sessionOpen(),
  id: i + 1,
  timing: new AckTiming(ACK_FAST),
  from: undefined,
  ear: undefined,
  isWaiting: false,
}));
/** Those with an ACK due later, soonest first: all wait equally long. */
let waiting: Viewer[] = [];

/** One socket. */
class Ear {
  readonly port: number;
  readonly #receiver: MessageReceiver;
  readonly #sender: GsoSender;
  readonly #batch = new DatagramBatch(256);

  constructor(libc: Libc) {
    const { fd, port } = openSocket(RECEIVE_BYTES);
    libc.setsockopt(fd, SOL_UDP, UDP_GRO, 1);
    this.port = port;
    this.#receiver = new MessageReceiver(libc, fd, PLACES, BURST_BYTES);
    const calls = new MessageCalls(libc, fd);
    this.#sender = new GsoSender(calls, new Sockaddrs(libc, false), libc.addressOf);
  }

  poll(now: Ms): void {
    const { bytes, senders, placeBytes, capacity } = this.#receiver;
    let count = 0;
    do {
      count = this.#receiver.receive();
      for (let i = 0; i < count; i++) {
        const from = heard.read(senders, i * SOCKADDR);
        const end = i * placeBytes + this.#receiver.length(i);
        const step = this.#receiver.segment(i);
        for (let at = i * placeBytes; at < end && from !== undefined; at += step) {
          this.#take(now, from, bytes, at, Math.min(step, end - at));
        }
      }
    } while (count === capacity);
  }

  #take(now: Ms, from: Address, bytes: Uint8Array, at: number, length: number): void {
    got.datagrams++;
    got.bytes += length;
    const type = bytes[at];
    if (type !== PacketType.DATA && type !== PacketType.BUNDLE && type !== PacketType.CONTROL)
      return;
    const viewer = viewers[u32(bytes, at + 5) - 1];
    if (viewer === undefined) return;
    if (loss > 0 && random.next() < loss) {
      got.lost++;
      return;
    }
    viewer.from = from;
    viewer.ear = this;
    const result = hot.packetReceived(viewer.handle, now, u16(bytes, at + ID_BYTES));
    if (result < 0) viewer.timing.noteOld(now);
    else {
      got.fresh++;
      viewer.timing.noteFresh(now, result === 1, hot.ackPending(viewer.handle), false);
    }
    if (viewer.timing.ackDueAt <= now) this.acknowledge(now, viewer);
    else wait(viewer);
  }

  acknowledge(now: Ms, viewer: Viewer): void {
    viewer.timing.noteAckSent(now);
    wait(viewer);
    const at = hot.headerArenaPtr;
    const body = encodeIdHead(hot.bytes, at, PacketType.ACK, EDGE_ID_HIGH, viewer.id);
    const end = body + hot.ackBuild(viewer.handle, now, body);
    if (this.#batch.isFull) this.flush();
    this.#batch.add(viewer.from as Address, hot.bytes.subarray(at, end));
    got.acks++;
  }

  flush(): void {
    this.#sender.send(this.#batch);
    this.#batch.clear();
  }
}

function wait(viewer: Viewer): void {
  if (viewer.isWaiting || viewer.timing.ackDueAt === Number.POSITIVE_INFINITY) return;
  viewer.isWaiting = true;
  waiting.push(viewer);
}

/** ACKs whose time has come. */
function acknowledgeDue(now: Ms): void {
  const before = waiting;
  waiting = [];
  for (const viewer of before) {
    viewer.isWaiting = false;
    if (viewer.timing.ackDueAt <= now) viewer.ear?.acknowledge(now, viewer);
    else wait(viewer);
  }
}

const libc = await openLibc();
if (libc === undefined) throw new Error("the sink needs Linux, glibc and Bun");
const ears = Array.from({ length: sockets }, () => new Ear(libc));
console.log(JSON.stringify(ears.map(({ port }) => port)));
let before = systemClock.now();
setInterval(() => {
  const now = systemClock.now();
  got.latestMs = Math.max(got.latestMs, now - before);
  before = now;
  for (const ear of ears) ear.poll(now);
  acknowledgeDue(ms(systemClock.now()));
  for (const ear of ears) ear.flush();
}, POLL_MS);
process.on("SIGTERM", () => {
  console.log(JSON.stringify({ ...got, cpu: process.cpuUsage() }));
  process.exit(0);
});
