import { describe, expect, test } from "bun:test";
import { Outbox } from "../../core/session/outbox.ts";
import { Cargo } from "../../core/session/train.ts";
import { createHotPath } from "../../wasm/create.ts";
import type { Address } from "../../wire/address.ts";
import { bindUdp, type SendBy } from "../bind-udp.ts";
import { systemClock } from "../clock.ts";
import { runNode } from "../driver.ts";
import type { UdpSocket } from "../udp.ts";
import { Sockaddrs } from "./sockaddrs.ts";
import { answeringCalls } from "./testing-calls.ts";
import { TrainSender } from "./train-sender.ts";

const HEAD = 21;
const LENGTHS = [1152, 1152, 300, 700, 1, 1152];

/** A node that has trains to send, one to each address; each head is filled with its running number. */
class Trains {
  readonly hot = createHotPath({ memoryMiB: 8 });
  readonly outbox = new Outbox<never>(this.hot);
  readonly #cargo = new Cargo();

  constructor(to: readonly [Address, number][]) {
    for (const [i, length] of LENGTHS.entries()) {
      const slot = this.hot.payloadAlloc(length);
      const at = this.hot.payloadPtr(slot);
      this.hot.bytes.fill(100 + i, at, at + length);
      this.#cargo.add(this.hot, slot);
    }
    this.outbox.hold(this.#cargo);
    let head = 0;
    for (const [address, bits] of to) {
      const count = bits.toString(2).replaceAll("0", "").length;
      const at = this.outbox.reserve(count * HEAD);
      for (let i = 0; i < count; i++) {
        this.hot.bytes.fill(head++, at + i * HEAD, at + (i + 1) * HEAD);
      }
      this.outbox.commitTrain(address, count, bits, this.#cargo, 0, 0);
    }
  }
  handleInput(): void {}
  pollOutput() {
    return this.outbox.poll();
  }
  pollTrain() {
    return this.outbox.pollTrain();
  }
  pollTimeout() {
    return Number.POSITIVE_INFINITY as never;
  }
}

/** What comes to a socket, as `first byte, last byte, length`. */
function listen(socket: UdpSocket) {
  const got: string[] = [];
  let wake = () => {};
  socket.onDatagrams({
    handleDatagram: (_, data) => {
      got.push(`${data[0]} ${data.at(-1)} ${data.length}`);
      wake();
    },
    handleError: (error) => {
      throw error;
    },
  });
  const count = async (wanted: number): Promise<string[]> => {
    while (got.length < wanted) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return got;
  };
  return { count };
}

const WAYS: readonly SendBy[] = process.platform === "linux" ? ["segments", "many"] : ["many"];

describe.each(WAYS)("trains sent by %s", (sendBy) => {
  test("come apart into their datagrams, in order", async () => {
    const udp = await bindUdp({ host: "127.0.0.1", port: 0, sendBy });
    const [a, b] = [
      await bindUdp({ host: "127.0.0.1", port: 0 }),
      await bindUdp({ host: "127.0.0.1", port: 0 }),
    ];
    const [atA, atB] = [listen(a), listen(b)];
    const nowhere: Address = { family: 6, ip: "2001:db8::1", port: 9 };
    const node = new Trains([
      [a.localAddress, 0b111111],
      [nowhere, 0b11],
      [b.localAddress, 0b101010],
    ]);
    const loop = runNode({
      node,
      udp,
      clock: systemClock,
      hot: node.hot,
      onEvent: () => {},
      onError: (error) => {
        throw error;
      },
    });
    const expected = LENGTHS.map((length, i) => `${i} ${100 + i} ${HEAD + length}`);
    expect(await atA.count(6)).toEqual(expected);
    expect(await atB.count(3)).toEqual(["8 101 1173", "9 103 721", "10 105 1173"]);
    expect(udp.counters.datagramsOut).toBe(9);
    loop.stop();
    a.close();
    b.close();
  });
});

/** A system that takes what `answers` says, call by call: so many messages, or minus an errno. */
function sender(answers: number[]) {
  const { asked, calls } = answeringCalls(answers);
  const addressOf = () => 0xffff_ff00;
  const sockaddrs = new Sockaddrs({ addressOf }, false);
  return { asked, trains: new TrainSender(calls, sockaddrs, addressOf) };
}

const A: Address = { family: 4, ip: "10.0.0.1", port: 1000 };

test("what a full buffer did not take is handed back, from that message on", () => {
  const { asked, trains } = sender([1, -11]);
  const node = new Trains([
    [A, 0b111],
    [{ ...A, port: 2 }, 0b1100],
  ]);
  for (let train = node.pollTrain(); train !== undefined; train = node.pollTrain()) {
    expect(trains.add(train, node.hot)).toBe(true);
  }
  const left: [number, number][] = [];
  const taken = trains.flush((to, headPtr, slot) => {
    expect(node.hot.payloadLength(slot)).toBe(LENGTHS[left.length === 0 ? 2 : 3] as number);
    left.push([to.port, headPtr - node.hot.headerArenaPtr]);
  });
  /* 1152, 1152, 300 is one message; 300 and 700 are two, as the second is longer. */
  expect(asked).toEqual([3, 2]);
  expect(taken).toBe(3);
  expect(left).toEqual([
    [2, 3 * HEAD],
    [2, 4 * HEAD],
  ]);
  expect(trains.isEmpty).toBe(true);
});
