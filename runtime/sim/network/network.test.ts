import { describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import { createTwinHotPath } from "../../core/hot-path/hot-path-twin.ts";
import type { Address } from "../../wire/address.ts";
import { EventQueue } from "../event-queue.ts";
import { HostRole } from "./host-role.ts";
import { IDEAL, type LinkModel } from "./link.ts";
import { type Host, Network } from "./network.ts";

interface Got {
  readonly at: number;
  readonly from: Address;
  readonly bytes: Uint8Array;
  readonly slot: number;
}

const IP_UDP_BYTES = 28;

/** Two hosts, a and b, that only listen; `up` is a's way out, `down` is b's way in. */
class Bench {
  readonly queue = new EventQueue();
  readonly got: Got[] = [];
  readonly hot: HotPath = createTwinHotPath({ memoryMiB: 8 });
  readonly network: Network;
  readonly a: Host;
  readonly b: Host;
  now = 0;

  constructor(up: Partial<LinkModel>, down: Partial<LinkModel> = {}, seed = 1, otherHot?: HotPath) {
    this.network = new Network({
      queue: this.queue,
      random: new Prng(seed),
      isTraced: true,
      onMedia: () => {},
      deliver: (at, _, from, data, slot) => this.got.push({ at, from, bytes: data.slice(), slot }),
    });
    const host = (n: number, models: object, hot: HotPath): Host => {
      const address: Address = { family: 4, ip: `10.0.0.${n}`, port: 1000 };
      return this.network.addHost({
        address,
        up: IDEAL,
        down: IDEAL,
        region: 0,
        hot,
        role: HostRole.peer,
        ...models,
      });
    };
    this.a = host(1, { up: { ...IDEAL, ...up } }, this.hot);
    this.b = host(2, { down: { ...IDEAL, ...down } }, otherHot ?? this.hot);
    this.b.isListening = true;
  }

  /** Sends `bytes` from a to b at `at`, by way of a payload slot if asked. */
  send(at: number, bytes: Uint8Array, slot = 0): void {
    this.run(at);
    this.hot.bytes.set(bytes, this.hot.headerArenaPtr);
    const headPtr = this.hot.headerArenaPtr;
    const place = { headPtr, headLength: bytes.length, slot };
    this.network.send(at, this.a, { kind: "transmit", to: this.b.address, ...place });
  }

  run(until = Number.POSITIVE_INFINITY): void {
    while (this.queue.peek() <= until && this.queue.pop()) {
      const { time, kind, argument } = this.queue;
      this.network.handleEvent(time, kind, argument);
    }
  }

  /** `count` packets of `bytes` each, one every `everyMs`. */
  stream(count: number, bytes: number, everyMs: number): void {
    for (let i = 0; i < count; i++) {
      const data = new Uint8Array(bytes);
      new DataView(data.buffer).setUint32(0, i);
      this.send(i * everyMs, data);
    }
    this.run();
  }

  numbers(): number[] {
    return this.got.map(({ bytes }) => new DataView(bytes.buffer).getUint32(0));
  }
}

describe("a link", () => {
  test("delays each packet by its delay, and nothing else happens", () => {
    const bench = new Bench({ delayMs: 20 }, { delayMs: 5 });
    bench.stream(100, 50, 1);
    expect(bench.got.map(({ at }, i) => at - i)).toEqual(Array.from({ length: 100 }, () => 25));
    expect(bench.got[0]?.from).toMatchObject({ ip: "10.0.0.1", port: 1000 });
    expect(bench.numbers()).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test("loses the share it was told, each packet by itself", () => {
    const bench = new Bench({ loss: { kind: "iid", rate: 0.05 } });
    bench.stream(20_000, 50, 1);
    expect(bench.got.length / 20_000).toBeCloseTo(0.95, 2);
    expect(bench.a.up.counters.packetsLost).toBe(20_000 - bench.got.length);
    expect(bench.network.packetsInFlight).toBe(0);
  });

  test("loses in bursts of the length it was told", () => {
    const loss = {
      kind: "bursts",
      goodToBad: 0.01,
      badToGood: 0.3,
      goodLoss: 0,
      badLoss: 1,
    } as const;
    const bench = new Bench({ loss });
    bench.stream(50_000, 50, 1);
    const numbers = bench.numbers();
    const gaps = numbers
      .slice(1)
      .map((n, i) => n - (numbers[i] as number) - 1)
      .filter((gap) => gap > 0);
    const lost = gaps.reduce((sum, gap) => sum + gap, 0);
    expect(lost / 50_000).toBeCloseTo(0.01 / 0.31, 2); /* share of time in the bad state */
    expect(lost / gaps.length).toBeCloseTo(1 / 0.3, 0);
  });

  test("lets through its rate, queues its bytes, drops the rest", () => {
    const bytes = 1000;
    const bench = new Bench({ rateBps: 8000 * 100, queueBytes: 20_000 }); /* 100 bytes/ms */
    bench.stream(1000, bytes - IP_UDP_BYTES, 5); /* twice the rate */
    const { counters } = bench.a.up;
    const last = bench.got.at(-1) as Got;
    expect((bench.got.length * bytes) / last.at).toBeCloseTo(100, 0);
    expect(counters.packetsDropped).toBe(1000 - bench.got.length);
    /* A full queue of 20 packets is 200 ms, and its own 10 ms on the wire. */
    const delays = bench.got.map(({ at }, i) => at - (bench.numbers()[i] as number) * 5);
    expect(Math.max(...delays)).toBeGreaterThan(190);
    expect(Math.max(...delays)).toBeLessThanOrEqual(210);
  });

  test("jitter keeps the order only where told so", () => {
    const loose = new Bench({ delayMs: 10, jitterMs: 5 });
    loose.stream(5000, 50, 1);
    const sorted = (list: number[]): number[] => [...list].sort((x, y) => x - y);
    expect(loose.numbers()).not.toEqual(sorted(loose.numbers()));
    const mean = loose.got.reduce((sum, { at }) => sum + at, 0) / 5000 - 4999 / 2 - 10;
    expect(mean).toBeCloseTo(5, 0);
    const strict = new Bench({ delayMs: 10, jitterMs: 5, keepsOrder: true });
    strict.stream(5000, 50, 1);
    expect(strict.numbers()).toEqual(sorted(strict.numbers()));
  });

  test("holds back, doubles and damages the shares it was told", () => {
    const bench = new Bench({
      reorderRate: 0.1,
      reorderMs: 50,
      duplicateRate: 0.1,
      corruptRate: 0.1,
    });
    bench.stream(10_000, 100, 1);
    expect(bench.got.length / 10_000).toBeCloseTo(1.1, 1);
    const { packetsDuplicated, packetsCorrupted } = bench.a.up.counters;
    expect(packetsDuplicated / 10_000).toBeCloseTo(0.1, 1);
    expect(packetsCorrupted / 10_000).toBeCloseTo(0.1, 1);
    expect(bench.got.filter(({ bytes }) => bytes.length < 100).length).toBeGreaterThan(300);
    expect(bench.network.packetsInFlight).toBe(0);
  });

  test("lets nothing through during an outage", () => {
    const bench = new Bench({ outages: [{ fromMs: 100, untilMs: 200 }] });
    bench.stream(300, 50, 1);
    expect(bench.numbers().filter((n) => n >= 100 && n < 200)).toEqual([]);
    expect(bench.got.length).toBe(200);
    expect(bench.a.up.counters.packetsOut).toBe(100);
  });

  test("the downlink is shared in the order of arrival, whoever sent first", () => {
    const bench = new Bench({}, { rateBps: 8000 * 1000, queueBytes: 1e6 });
    bench.network.setPath(1, 0, { ...IDEAL, delayMs: 50 });
    const address: Address = { family: 4, ip: "10.0.0.3", port: 1 };
    const hot = bench.hot;
    const far = bench.network.addHost({
      address,
      up: IDEAL,
      down: IDEAL,
      region: 1,
      hot,
      role: HostRole.peer,
    });
    const place = { headPtr: hot.headerArenaPtr, headLength: 972, slot: 0 };
    bench.network.send(0, far, { kind: "transmit", to: bench.b.address, ...place });
    bench.send(10, new Uint8Array(972));
    bench.run();
    expect(bench.got.map(({ at }) => at)).toEqual([11, 51]);
  });
});

describe("the network", () => {
  test("the same seed gives the same deliveries, another gives others", () => {
    const hashes = [1, 1, 2].map((seed) => {
      const bench = new Bench(
        { loss: { kind: "iid", rate: 0.1 }, jitterMs: 4, corruptRate: 0.1 },
        {},
        seed,
      );
      bench.stream(1000, 80, 1);
      return bench.network.traceHash;
    });
    expect(hashes[0]).toBe(hashes[1] as number);
    expect(hashes[0]).not.toBe(hashes[2] as number);
  });

  test("a payload travels as its slot and its references return to what they were", () => {
    const bench = new Bench({
      delayMs: 5,
      loss: { kind: "iid", rate: 0.3 },
      duplicateRate: 0.2,
      corruptRate: 0.2,
    });
    const before = bench.hot.payloadBytesUsed();
    const slot = bench.hot.payloadAlloc(1000);
    bench.hot.bytes.fill(7, bench.hot.payloadPtr(slot), bench.hot.payloadPtr(slot) + 1000);
    for (let i = 0; i < 500; i++) bench.send(i, new Uint8Array(21).fill(i & 255), slot);
    bench.hot.payloadRelease(slot);
    bench.run();
    expect(bench.got.some((one) => one.slot === slot && one.bytes.length === 21)).toBe(true);
    expect(bench.got.some((one) => one.slot === 0 && one.bytes.length > 21)).toBe(
      true,
    ); /* damaged */
    expect(bench.hot.payloadBytesUsed()).toBe(before);
  });

  test("a payload is copied to a host whose memory is another", () => {
    const bench = new Bench({}, {}, 1, createTwinHotPath({ memoryMiB: 8 }));
    const slot = bench.hot.payloadAlloc(1000);
    bench.hot.bytes.fill(7, bench.hot.payloadPtr(slot), bench.hot.payloadPtr(slot) + 1000);
    bench.send(0, new Uint8Array([1, 2, 3]), slot);
    bench.run();
    const got = bench.got[0] as Got;
    expect(got.slot).toBe(0);
    expect(got.bytes).toEqual(new Uint8Array([1, 2, 3, ...new Uint8Array(1000).fill(7)]));
  });

  test("knows addresses that nodes write themselves, and counts those that nobody has", () => {
    const bench = new Bench({});
    const { ip, port, family } = bench.b.address;
    const transmit = {
      kind: "transmit",
      headPtr: bench.hot.headerArenaPtr,
      headLength: 9,
      slot: 0,
    } as const;
    bench.network.send(0, bench.a, { ...transmit, to: { family, ip, port } });
    bench.network.send(0, bench.a, { ...transmit, to: { family, ip, port: port + 1 } });
    bench.b.isListening = false;
    bench.network.send(1, bench.a, { ...transmit, to: bench.b.address });
    bench.b.isListening = false;
    bench.run(0);
    expect(bench.network.packetsUnroutable).toBe(1);
    bench.run();
    expect(bench.network.packetsUnheard).toBe(2);
  });

  test("brings forged datagrams under the name they were given", () => {
    const bench = new Bench({});
    const forged: Address = { family: 4, ip: "203.0.113.9", port: 53 };
    bench.network.inject(0, forged, bench.b, new Uint8Array([9]));
    bench.network.inject(0, bench.a.address, bench.b, new Uint8Array([8]));
    bench.run();
    expect(bench.got.map(({ from }) => from.ip)).toEqual(["203.0.113.9", "10.0.0.1"]);
    bench.network.send(5, bench.a, {
      kind: "transmit",
      to: forged,
      headPtr: bench.hot.headerArenaPtr,
      headLength: 1,
      slot: 0,
    });
    expect(bench.network.packetsUnroutable).toBe(1);
  });

  test("pairs of hosts keep their own share of a path's spread, both ways alike", () => {
    const bench = new Bench({});
    bench.a.isListening = true;
    bench.network.setPath(0, 0, { ...IDEAL, delayMs: 10 }, 20);
    bench.send(0, new Uint8Array(10));
    bench.send(0, new Uint8Array(10));
    const place = { headPtr: bench.hot.headerArenaPtr, headLength: 1, slot: 0 };
    bench.network.send(0, bench.b, { kind: "transmit", to: bench.a.address, ...place });
    bench.run();
    const times = bench.got.map(({ at }) => at);
    expect(times[0]).toBeGreaterThan(10);
    expect(times[0]).toBeLessThan(30);
    expect(new Set(times).size).toBe(1);
  });
});
