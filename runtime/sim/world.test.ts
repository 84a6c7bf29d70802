import { describe, expect, test } from "bun:test";
import { type Ms, ms, NEVER } from "../base/time.ts";
import type { HotPath } from "../core/hot-path/hot-path.ts";
import { createTwinHotPath } from "../core/hot-path/hot-path-twin.ts";
import type { Input, Node, NodeEnvironment, Output } from "../node/node.ts";
import type { Address } from "../wire/address.ts";
import { HostRole } from "./network/host-role.ts";
import { IDEAL } from "./network/link.ts";
import { World, type WorldNode } from "./world.ts";

const hot: HotPath = createTwinHotPath({ memoryMiB: 4 });

/** Pings its partner every 10 ms of its own clock; tells each arrival. */
class Pinger implements Node<string> {
  readonly to: Address | undefined;
  readonly env: NodeEnvironment;
  readonly times: Ms[] = [];
  next: Ms = NEVER;
  #isStarted = false;
  readonly #queue: Output<string>[] = [];
  isStuck = false;

  constructor(env: NodeEnvironment, to: Address | undefined) {
    this.env = env;
    this.to = to;
  }

  handleInput(now: Ms, input: Input): void {
    this.times.push(now);
    if (input.kind === "timeout") this.ping(now);
    else this.#queue.push({ kind: "event", event: `got ${input.data[0]}` });
  }

  ping(now: Ms): void {
    this.#isStarted = true;
    if (this.to === undefined) return;
    this.next = this.isStuck ? now : ms(now + 10);
    this.env.hot.bytes[this.env.hot.headerArenaPtr] = this.env.random.below(256);
    const place = { headPtr: this.env.hot.headerArenaPtr, headLength: 1, slot: 0 };
    this.#queue.push({ kind: "transmit", to: this.to, ...place });
  }

  pollOutput(): Output<string> | undefined {
    return this.#queue.shift();
  }

  pollTimeout(): Ms {
    return this.#isStarted || this.to === undefined ? this.next : ms(0);
  }
}

const addressA: Address = { family: 4, ip: "10.0.0.1", port: 1 };
const addressB: Address = { family: 4, ip: "10.0.0.2", port: 1 };

function setup(seed: number): {
  world: World;
  a: WorldNode<Pinger>;
  b: WorldNode<Pinger>;
  log: string[];
} {
  const world = new World({ seed, isTraced: true });
  const log: string[] = [];
  world.onEvent = (id, event, at, local) =>
    log.push(`${id} ${event} ${at.toFixed(6)} ${local.toFixed(6)}`);
  const host = (address: Address) => ({
    address,
    up: { ...IDEAL, delayMs: 5, jitterMs: 2, loss: { kind: "iid", rate: 0.1 } as const },
    down: IDEAL,
    region: 0,
    hot,
    role: HostRole.peer,
  });
  const a = world.add({ host: host(addressA), create: (env) => new Pinger(env, addressB) });
  const b = world.add({ host: host(addressB), create: (env) => new Pinger(env, undefined) });
  return { world, a, b, log };
}

describe("the world", () => {
  test("wakes a node by the node's own clock, whose drift shows", () => {
    const { world, a } = setup(3);
    world.run(100_000);
    const times = (a.node as Pinger).times;
    for (let i = 1; i < times.length; i++) {
      expect((times[i] as number) - (times[i - 1] as number)).toBeCloseTo(10, 6);
    }
    const local = (times.at(-1) as number) - (times[0] as number);
    const driftPpm =
      (local / (a.clock.world(times.at(-1) as Ms) - a.clock.world(times[0] as Ms)) - 1) * 1e6;
    expect(Math.abs(driftPpm)).toBeGreaterThan(0.1);
    expect(Math.abs(driftPpm)).toBeLessThan(100.001);
  });

  test("clocks lie within a day of a common time and never show less than zero", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { a, b } = setup(seed);
      expect(a.clock.local(0)).toBeGreaterThanOrEqual(0);
      expect(Math.abs(a.clock.local(0) - b.clock.local(0))).toBeLessThan(2 * 86_400_000);
    }
  });

  test("is the same to the byte for the same seed", () => {
    const runs = [5, 5, 6].map((seed) => {
      const { world, log } = setup(seed);
      world.run(5000);
      return { hash: world.network.traceHash, log };
    });
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[0]?.hash).not.toBe(runs[2]?.hash);
    expect(runs[0]?.log.length).toBeGreaterThan(400);
  });

  test("does actions at their time and gives commands the node's clock", () => {
    const { world, a } = setup(1);
    const seen: [number, Ms][] = [];
    world.at(70, () => a.command((_, now) => seen.push([world.nowMs, now])));
    world.run(100);
    expect(seen).toEqual([[70, a.clock.local(70)]]);
    expect(world.nowMs).toBe(100);
  });

  test("a stopped node hears nothing; started again it is new, with other randomness", () => {
    const { world, a, b, log } = setup(1);
    world.run(500);
    const first = b.node;
    b.stop(() => {}, true);
    const before = log.length;
    world.run(1000);
    expect(log.length).toBe(before);
    expect(world.network.packetsUnheard).toBeGreaterThan(30);
    b.restart();
    world.run(1500);
    expect(b.node).not.toBe(first);
    expect(b.node?.env.bootEpoch).toBeGreaterThan(first?.env.bootEpoch ?? 0);
    expect(log.length).toBeGreaterThan(before + 30);
    expect(a.node).toBeDefined();
  });

  test("a node that wants to be woken at once for ever is a bug that shows", () => {
    const { world, a } = setup(1);
    world.run(20);
    if (a.node !== undefined) a.node.isStuck = true;
    expect(() => world.run(100)).toThrow("for ever");
  });
});
