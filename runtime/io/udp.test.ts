import { afterEach, describe, expect, test } from "bun:test";
import type { Address } from "../wire/address.ts";
import { type BindOptions, bindUdp } from "./bind-udp.ts";
import { DatagramBatch } from "./datagram-batch.ts";
import type { UdpSocket } from "./udp.ts";
import { bindBunUdp } from "./udp-bun.ts";
import { bindNodeUdp } from "./udp-node.ts";

const BUFFER_BYTES = 1 << 20;
const open: UdpSocket[] = [];

afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

interface Got {
  readonly from: Address;
  readonly text: string;
}

class Inbox {
  readonly got: Got[] = [];
  readonly errors: Error[] = [];
  #wake: () => void = () => {};

  constructor(socket: UdpSocket) {
    socket.onDatagrams({
      handleDatagram: (from, data) => {
        this.got.push({ from, text: new TextDecoder().decode(data) });
        this.#wake();
      },
      handleError: (error) => this.errors.push(error),
    });
  }

  async count(count: number): Promise<Got[]> {
    while (this.got.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.got;
  }
}

function batchOf(...datagrams: [Address, string][]): DatagramBatch {
  const batch = new DatagramBatch(Math.max(1, datagrams.length));
  for (const [to, text] of datagrams) batch.add(to, new TextEncoder().encode(text));
  return batch;
}

const HAS_SEGMENTS = process.platform === "linux";

const adapters: [string, (options: BindOptions) => Promise<UdpSocket>][] = [
  ["Bun.udpSocket", (options) => bindBunUdp({ ...options, sendBy: "many" })],
  ["sendmmsg", (options) => bindBunUdp({ ...options, sendBy: HAS_SEGMENTS ? "segments" : "auto" })],
  ["node:dgram", bindNodeUdp],
  ["whatever this runtime has", bindUdp],
];

describe.each(adapters)("UDP through %s", (_, bind) => {
  async function bound(host = "127.0.0.1"): Promise<UdpSocket> {
    const sizes = { receiveBufferBytes: BUFFER_BYTES, sendBufferBytes: BUFFER_BYTES };
    const socket = await bind({ host, port: 0, ...sizes });
    open.push(socket);
    return socket;
  }

  test("tells its port and the sender's address", async () => {
    const [a, b] = [await bound(), await bound()];
    const inbox = new Inbox(b);
    expect(b.localAddress).toMatchObject({ family: 4, ip: "127.0.0.1" });
    expect(b.localAddress.port).toBeGreaterThan(0);
    a.send(batchOf([b.localAddress, "hello"]));
    expect(await inbox.count(1)).toEqual([{ from: a.localAddress, text: "hello" }]);
  });

  test("sends a batch in order and empties it", async () => {
    const [a, b] = [await bound(), await bound()];
    const inbox = new Inbox(b);
    const texts = Array.from({ length: 50 }, (_, i) => `datagram ${i}`);
    const batch = batchOf(...texts.map((text): [Address, string] => [b.localAddress, text]));
    a.send(batch);
    expect(batch.count).toBe(0);
    expect((await inbox.count(50)).map((got) => got.text)).toEqual(texts);
    expect(b.counters.datagramsIn).toBe(50);
  });

  test("may be given another batch in the same buffer at once", async () => {
    const [a, b] = [await bound(), await bound()];
    const inbox = new Inbox(b);
    const batch = new DatagramBatch();
    for (let i = 0; i < 20; i++) {
      batch.add(b.localAddress, new TextEncoder().encode(`no. ${i}`));
      a.send(batch);
    }
    const got = await inbox.count(20);
    expect(got.map((one) => one.text)).toEqual(Array.from({ length: 20 }, (_, i) => `no. ${i}`));
  });

  test("what the system refuses costs only itself", async () => {
    const [a, b] = [await bound(), await bound()];
    const inbox = new Inbox(b);
    const noPort: Address = { family: 4, ip: "127.0.0.1", port: 0 };
    const otherFamily: Address = { family: 6, ip: "2001:db8::1", port: 9 };
    const noHost: Address = { family: 4, ip: "240.0.0.1", port: 9 };
    const to = b.localAddress;
    a.send(
      batchOf([to, "1"], [noPort, "x"], [to, "2"], [otherFamily, "x"], [noHost, "x"], [to, "3"]),
    );
    a.send(batchOf([to, "4"]));
    expect((await inbox.count(4)).map((got) => got.text)).toEqual(["1", "2", "3", "4"]);
  });

  test("a closed port among the receivers does not cost the others", async () => {
    const [a, b, closed] = [await bound(), await bound(), await bound()];
    const inbox = new Inbox(b);
    const errors = new Inbox(a).errors;
    const dead = closed.localAddress;
    closed.close();
    for (let i = 0; i < 30; i++) {
      a.send(batchOf([dead, "x"], [b.localAddress, `${i}`], [dead, "y"]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const got = await inbox.count(30);
    expect(got.map((one) => one.text)).toEqual(Array.from({ length: 30 }, (_, i) => `${i}`));
    expect(errors).toEqual([]);
  });

  test("a socket on :: talks IPv4 and IPv6 and writes IPv4 as such", async () => {
    const [a, dual, six] = [await bound(), await bound("::"), await bound("::1")];
    const [toA, toDual, toSix] = [new Inbox(a), new Inbox(dual), new Inbox(six)];
    a.send(batchOf([{ family: 4, ip: "127.0.0.1", port: dual.localAddress.port }, "four"]));
    six.send(batchOf([{ family: 6, ip: "::1", port: dual.localAddress.port }, "six"]));
    const got = await toDual.count(2);
    expect(got.find((one) => one.text === "four")?.from).toEqual(a.localAddress);
    expect(got.find((one) => one.text === "six")?.from).toEqual(six.localAddress);
    dual.send(batchOf([a.localAddress, "back"], [six.localAddress, "back"]));
    expect((await toA.count(1))[0]?.text).toBe("back");
    expect((await toSix.count(1))[0]?.text).toBe("back");
  });

  test("holds a burst of a thousand datagrams while nobody reads", async () => {
    const [a, b] = [await bound(), await bound()];
    const inbox = new Inbox(b);
    const batch = new DatagramBatch(1000);
    for (let i = 0; i < 1000; i++) batch.add(b.localAddress, new Uint8Array(200));
    a.send(batch);
    await inbox.count(1000);
  });

  test("a port in use is an error of bind", async () => {
    const a = await bound();
    const options = { host: "127.0.0.1", port: a.localAddress.port };
    const sizes = { receiveBufferBytes: BUFFER_BYTES, sendBufferBytes: BUFFER_BYTES };
    await expect(bind({ ...options, ...sizes })).rejects.toThrow(/EADDRINUSE|address/i);
  });

  test("sending after close and closing twice do nothing", async () => {
    const a = await bound();
    a.close();
    a.close();
    a.send(batchOf([{ family: 4, ip: "127.0.0.1", port: 9 }, "late"]));
  });
});
