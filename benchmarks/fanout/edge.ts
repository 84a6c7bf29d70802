/**
 * One sending subject of the `fanout` bench in a process of its own:
 * `edge.ts SUBJECT RECEIVERS FPS BYTES SECONDS PORTS`. `shoal` is the production path from the send queues to the
 * socket; `bare` the same datagrams, made beforehand, through the same system calls. Prints what it cost as a line of
 * JSON.
 */
import { Prng } from "../../runtime/base/prng.ts";
import { bindUdp } from "../../runtime/io/bind-udp.ts";
import { systemClock } from "../../runtime/io/clock.ts";
import { DatagramBatch } from "../../runtime/io/datagram-batch.ts";
import { runNode } from "../../runtime/io/driver.ts";
import { type Libc, openLibc } from "../../runtime/io/linux/libc.ts";
import type { UdpSocket } from "../../runtime/io/udp.ts";
import { createHotPath } from "../../runtime/wasm/create.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { HEAD_BYTES } from "../../runtime/wire/packet.ts";
import { BareTurn, BODY_BYTES, bareSocket } from "./bare.ts";
import { FanNode } from "./fan-node.ts";

export interface FanFigures {
  /** CPU seconds of the whole process, user and system. */
  readonly cpuSeconds: number;
  readonly seconds: number;
  readonly datagrams: number;
  /** UDP payload bytes of media, first sendings only. */
  readonly mediaBytes: number;
  readonly resent: number;
  /** Datagrams that came back: acknowledgements, but for a few. */
  readonly received: number;
  readonly sendsBy: string;
  readonly residentBytes: number;
  readonly closed: number;
}

/** Each receiver gets its frames in one of so many turns, so that no burst overruns a socket. */
const TURNS = 16;
const WARM_UP_MS = 1500;

/** Is as full after sending as before. */
class KeptBatch extends DatagramBatch {
  override clear(): void {}
}

const [subject = "", ...rest] = process.argv.slice(2);
const [receivers = 1, fps = 30, bytes = 4096, seconds = 1] = rest.slice(0, 4).map(Number);
const addresses = (rest[4] ?? "").split(",").map(Number).map(loopback);
const udp = await bindUdp({
  host: "127.0.0.1",
  port: 0,
  sendBy: subject.endsWith("many") ? "many" : "auto",
});
const load = await loadOf(subject);

async function loadOf(name: string): Promise<Load> {
  if (!name.startsWith("bare")) return shoalLoad(udp);
  const libc = await openLibc();
  return libc === undefined || name.endsWith("many") ? bareLoad(udp) : bareSegments(libc);
}

function loopback(port: number): Address {
  return { family: 4, ip: "127.0.0.1", port };
}

interface Load {
  turn(share: number): void;
  datagrams(): number;
  mediaBytes(): number;
  resent(): number;
  closed(): number;
  stop(): void;
}

function shoalLoad(socket: UdpSocket): Load {
  const hot = createHotPath({ memoryMiB: 128 });
  const env = { hot, random: new Prng(1), bootEpoch: 1 };
  const node = new FanNode(env, systemClock.now(), receivers, TURNS, addresses);
  const loop = runNode({
    node,
    udp: socket,
    clock: systemClock,
    hot,
    onEvent: () => {},
    onError: (error) => console.error(error),
  });
  return {
    turn: (share) => {
      node.push(systemClock.now(), share, bytes);
      loop.wake();
    },
    datagrams: () => socket.counters.datagramsOut,
    mediaBytes: () => node.mediaBytes,
    resent: () => node.resent,
    closed: () => node.closed,
    stop: () => loop.stop(),
  };
}

/** One turn's messages, made once. */
async function bareSegments(libc: Libc): Promise<Load> {
  const { fd, close } = await bareSocket();
  const turn = new BareTurn(libc, fd, Math.ceil(receivers / TURNS), bytes, addresses);
  let turns = 0;
  return {
    turn: () => {
      turns += turn.send();
    },
    datagrams: () => turns * turn.datagrams,
    mediaBytes: () => turns * turn.mediaBytes,
    resent: () => 0,
    closed: () => 0,
    stop: close,
  };
}

/** One batch of whole frames to several addresses, made once and sent again and again. */
function bareLoad(socket: UdpSocket): Load {
  const fragments = Math.ceil(bytes / BODY_BYTES);
  const batch = new KeptBatch();
  const frames = Math.floor(batch.capacity / fragments);
  for (let frame = 0; frame < frames; frame++) {
    for (let i = 0; i < fragments; i++) {
      const body = Math.min(BODY_BYTES, bytes - i * BODY_BYTES);
      batch.add(addresses[frame % addresses.length] as Address, new Uint8Array(HEAD_BYTES + body));
    }
  }
  let media = 0;
  let owed = 0;
  return {
    turn: () => {
      for (owed += receivers / TURNS; owed >= frames; owed -= frames) {
        socket.send(batch);
        media += frames * bytes;
      }
    },
    datagrams: () => socket.counters.datagramsOut,
    mediaBytes: () => media,
    resent: () => 0,
    closed: () => 0,
    stop: () => socket.close(),
  };
}

const turnMs = 1000 / fps / TURNS;
/** Turns made up for at a time: a process that can't keep up sends less, and still reads its ACKs. */
const TURNS_LATE_MAX = 8;
const began = performance.now();
let dueAt = began;
let turns = 0;
let from = { cpu: process.cpuUsage(), at: began, out: 0, media: 0, resent: 0, received: 0 };
let isWarm = false;

const timer = setInterval(() => {
  const now = performance.now();
  dueAt = Math.max(dueAt, now - TURNS_LATE_MAX * turnMs);
  for (; dueAt <= now; dueAt += turnMs) load.turn(turns++ % TURNS);
  if (!isWarm && now - began >= WARM_UP_MS) {
    isWarm = true;
    from = {
      cpu: process.cpuUsage(),
      at: now,
      out: load.datagrams(),
      media: load.mediaBytes(),
      resent: load.resent(),
      received: udp.counters.datagramsIn,
    };
  }
  if (now - began >= WARM_UP_MS + seconds * 1000) finish(now);
}, 1);

function finish(now: number): void {
  clearInterval(timer);
  const cpu = process.cpuUsage(from.cpu);
  const figures: FanFigures = {
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    seconds: (now - from.at) / 1000,
    datagrams: load.datagrams() - from.out,
    mediaBytes: load.mediaBytes() - from.media,
    resent: load.resent() - from.resent,
    received: udp.counters.datagramsIn - from.received,
    sendsBy: udp.sendsBy,
    residentBytes: process.memoryUsage.rss(),
    closed: load.closed(),
  };
  load.stop();
  console.log(JSON.stringify(figures));
  process.exit(0);
}
