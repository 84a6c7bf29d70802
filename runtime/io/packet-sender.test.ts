import { describe, expect, test } from "bun:test";
import type { Address } from "../wire/address.ts";
import { DatagramBatch } from "./datagram-batch.ts";
import { PacketSender } from "./packet-sender.ts";
import { BACKLOG_DATAGRAMS_MAX, newUdpCounters } from "./udp.ts";

const to: Address = { family: 4, ip: "192.0.2.1", port: 7 };
/** Port of datagrams that the socket below refuses. */
const REFUSED_PORT = 13;

/** A socket whose send buffer has room for `room` datagrams. */
class FakeSocket {
  room = 0;
  readonly sent: number[] = [];

  sendMany(packets: readonly (Uint8Array | number | string)[]): number {
    let taken = 0;
    for (let i = 0; i < packets.length; i += 3) {
      if (packets[i + 1] === REFUSED_PORT) {
        if (taken === 0) throw new Error("EINVAL");
        return taken;
      }
      if (this.room === 0) return taken;
      this.#take(packets[i] as Uint8Array);
      taken++;
    }
    return taken;
  }

  send(data: Uint8Array, port: number): boolean {
    if (port === REFUSED_PORT) throw new Error("EINVAL");
    if (this.room === 0) return false;
    this.#take(data);
    return true;
  }

  #take(data: Uint8Array): void {
    this.room--;
    this.sent.push(new DataView(data.buffer, data.byteOffset).getUint32(0));
  }
}

function setup() {
  const socket = new FakeSocket();
  const counters = newUdpCounters();
  const sender = new PacketSender(socket, counters);
  let next = 0;
  const send = (count: number, port = to.port): void => {
    const batch = new DatagramBatch(count);
    for (let i = 0; i < count; i++) {
      const data = new Uint8Array(4);
      new DataView(data.buffer).setUint32(0, next++);
      batch.add({ ...to, port }, data);
    }
    sender.send(batch);
  };
  return { socket, counters, sender, send };
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe("sending while the system has no room", () => {
  test("keeps what was not taken and sends it first at drain, in order", () => {
    const { socket, sender, send } = setup();
    socket.room = 3;
    send(5);
    send(4);
    expect(socket.sent).toEqual(upTo(3));
    expect(sender.backlog).toBe(6);
    socket.room = 2;
    sender.handleDrain();
    expect(socket.sent).toEqual(upTo(5));
    socket.room = 100;
    sender.handleDrain();
    send(1);
    expect(socket.sent).toEqual(upTo(10));
    expect(sender.backlog).toBe(0);
  });

  test("what is kept survives the batch's next use", () => {
    const { socket, sender } = setup();
    const batch = new DatagramBatch(1);
    for (const value of [1, 2, 3]) {
      batch.clear();
      batch.add(to, new Uint8Array([0, 0, 0, value]));
      sender.send(batch);
    }
    socket.room = 3;
    sender.handleDrain();
    expect(socket.sent).toEqual([1, 2, 3]);
  });

  test("bounds what it keeps and counts what it drops", () => {
    const { counters, sender, send } = setup();
    send(BACKLOG_DATAGRAMS_MAX + 10);
    expect(sender.backlog).toBe(BACKLOG_DATAGRAMS_MAX);
    expect(counters.datagramsDropped).toBe(10);
  });

  test("a refused datagram at the head of the backlog does not block it", () => {
    const { socket, counters, sender, send } = setup();
    send(2);
    send(1, REFUSED_PORT);
    send(2);
    socket.room = 100;
    sender.handleDrain();
    expect(socket.sent).toEqual([0, 1, 3, 4]);
    expect(counters.datagramsRefused).toBe(1);
    expect(counters.datagramsOut).toBe(4);
  });
});
