import { afterEach, describe, expect, test } from "bun:test";
import { type Ms, ms, NEVER } from "../base/time.ts";
import type { HotPath } from "../core/hot-path/hot-path.ts";
import type { Input, Node, Output } from "../node/node.ts";
import type { Address } from "../wire/address.ts";
import type { DatagramBatch } from "./datagram-batch.ts";
import { type RunningNode, runNode } from "./driver.ts";
import { type DatagramHandler, newUdpCounters, type UdpSocket } from "./udp.ts";

const peer: Address = { family: 4, ip: "192.0.2.1", port: 7 };

class FakeUdp implements UdpSocket {
  readonly sendsBy = "many";
  readonly localAddress = peer;
  readonly counters = newUdpCounters();
  readonly batches: string[][] = [];
  handler: DatagramHandler | undefined;
  isClosed = false;

  send(batch: DatagramBatch): void {
    const texts: string[] = [];
    for (let i = 0; i < batch.count; i++) texts.push(new TextDecoder().decode(batch.data(i)));
    this.batches.push(texts);
    batch.clear();
  }

  onDatagrams(handler: DatagramHandler): void {
    this.handler = handler;
  }

  close(): void {
    this.isClosed = true;
  }

  receive(text: string): void {
    this.handler?.handleDatagram(peer, new TextEncoder().encode(text));
  }
}

/** Just enough of a hot path for heads: memory. */
const memory = new Uint8Array(1 << 20);
const hot = { bytes: memory } as unknown as HotPath;

/** Echoes each datagram; "event…" becomes an event, "throw" an exception. */
class EchoNode implements Node<string> {
  readonly inputs: string[] = [];
  timeoutAt: Ms = NEVER;
  onTimeout: (now: Ms) => void = () => {};
  readonly #queue: Output<string>[] = [];
  #used = 0;

  handleInput(now: Ms, input: Input): void {
    if (input.kind === "timeout") {
      this.inputs.push("timeout");
      this.timeoutAt = NEVER;
      this.onTimeout(now);
      return;
    }
    const text = new TextDecoder().decode(input.data);
    this.inputs.push(text);
    if (text === "throw") throw new Error("a bug");
    if (text.startsWith("event")) this.#queue.push({ kind: "event", event: text });
    else this.say(text, input.line ?? 0);
  }

  say(text: string, line = 0): void {
    const head = new TextEncoder().encode(text);
    memory.set(head, this.#used);
    const place = { headPtr: this.#used, headLength: head.length, slot: 0 };
    this.#used += head.length;
    this.#queue.push({ kind: "transmit", to: peer, line, ...place });
  }

  pollOutput(): Output<string> | undefined {
    const next = this.#queue.shift();
    if (next === undefined) this.#used = 0;
    return next;
  }

  pollTimeout(): Ms {
    return this.timeoutAt;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const running: RunningNode[] = [];

afterEach(() => {
  for (const one of running.splice(0)) one.stop();
});

function setup(onEvent: (event: string) => void = () => {}, moreLines: readonly UdpSocket[] = []) {
  const node = new EchoNode();
  const udp = new FakeUdp();
  const time = { now: ms(1000) };
  const errors: unknown[] = [];
  const loop = runNode({
    node,
    udp,
    moreLines,
    clock: { now: () => time.now },
    hot,
    onEvent,
    onError: (error) => errors.push(error),
  });
  running.push(loop);
  return { node, udp, time, errors, loop };
}

describe("the run loop", () => {
  test("answers a burst of datagrams in one batch", async () => {
    const { udp } = setup();
    for (let i = 0; i < 5; i++) udp.receive(`${i}`);
    expect(udp.batches).toEqual([]);
    await turn();
    expect(udp.batches).toEqual([["0", "1", "2", "3", "4"]]);
  });

  test("sends by the line that a datagram names, and says by which one it came", async () => {
    const second = new FakeUdp();
    const { udp, loop } = setup(undefined, [second]);
    second.receive("b");
    udp.receive("a");
    await turn();
    expect(udp.batches).toEqual([["a"]]);
    expect(second.batches).toEqual([["b"]]);
    loop.stop();
    expect([udp.isClosed, second.isClosed]).toEqual([true, true]);
  });

  test("sends at once when a batch is full", async () => {
    const { udp } = setup();
    for (let i = 0; i < 100; i++) udp.receive(`${i}`);
    expect(udp.batches.length).toBe(1);
    await turn();
    expect(udp.batches.flat()).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
  });

  test("sends what a command caused", async () => {
    const { node, udp, loop } = setup();
    node.say("hello");
    loop.wake();
    await turn();
    expect(udp.batches).toEqual([["hello"]]);
  });

  test("an exception is reported and the loop goes on", async () => {
    const { udp, errors } = setup();
    udp.receive("before");
    udp.receive("throw");
    udp.receive("after");
    await turn();
    expect(udp.batches).toEqual([["before", "after"]]);
    expect(errors.map(String)).toEqual(["Error: a bug"]);
  });

  test("an event's handler may command the node, and its bytes go too", async () => {
    const said: string[] = [];
    const { node, udp, loop } = setup((event) => {
      said.push(event);
      node.say(`answer to ${event}`);
      loop.wake();
      if (event === "event 2") throw new Error("handler");
    });
    udp.receive("event 1");
    udp.receive("event 2");
    await turn();
    expect(said).toEqual(["event 1", "event 2"]);
    expect(udp.batches).toEqual([["answer to event 1", "answer to event 2"]]);
  });

  test("a timeout that is due is handled, and one that stays due does not block the sockets", async () => {
    const { node, loop } = setup();
    node.onTimeout = () => {
      node.timeoutAt = ms(1);
    };
    node.timeoutAt = ms(500);
    loop.wake();
    await turn();
    const count = node.inputs.length;
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThan(100);
    node.onTimeout = () => {};
  });

  test("the timer wakes the node when its time has come", async () => {
    const { node, time, loop } = setup();
    node.timeoutAt = ms(1003);
    const woken = new Promise<void>((resolve) => {
      node.onTimeout = () => resolve();
    });
    loop.wake();
    await turn();
    expect(node.inputs).toEqual([]);
    time.now = ms(1003);
    await woken;
    expect(node.inputs).toEqual(["timeout"]);
  });

  test("stop sends the last words, closes, and hears nothing more", async () => {
    const { node, udp, loop } = setup();
    node.say("goodbye");
    loop.stop();
    loop.stop();
    expect(udp.batches).toEqual([["goodbye"]]);
    expect(udp.isClosed).toBe(true);
    udp.receive("late");
    await turn();
    expect(node.inputs).toEqual([]);
  });

  test("stop may be called by an event's handler", async () => {
    const { node, udp } = setup(() => {
      node.say("goodbye");
      running[0]?.stop();
    });
    udp.receive("event");
    await turn();
    expect(udp.batches).toEqual([["goodbye"]]);
  });
});
