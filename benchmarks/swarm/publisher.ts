/** The run's publisher: the production role on a shaped socket, pushing the scenario's footage in real time. */
import { Prng } from "../../runtime/base/prng.ts";
import { bindUdp } from "../../runtime/io/bind-udp.ts";
import { systemClock } from "../../runtime/io/clock.ts";
import { type RunningNode, runNode } from "../../runtime/io/driver.ts";
import { systemRandom } from "../../runtime/io/entropy.ts";
import type { PublisherEvent } from "../../runtime/node/api.ts";
import { Publisher } from "../../runtime/node/publisher.ts";
import { Footage } from "../../runtime/sim/footage.ts";
import { accessModel, IDEAL_ACCESS } from "../../runtime/sim/scenario/population.ts";
import { createHotPath } from "../../runtime/wasm/create.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { Agenda } from "./agenda.ts";
import { ShapedUdp } from "./shaped-udp.ts";
import { STREAM } from "./viewer.ts";
import type { SwarmWorld } from "./world.ts";

const MEMORY_MIB = 64;
const TICK_MS = 4;

export class SwarmPublisher {
  readonly connected: Promise<void>;
  readonly #publisher: Publisher;
  readonly #shaped: ShapedUdp;
  readonly #running: RunningNode;
  readonly #agenda: Agenda;
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(
    world: SwarmWorld,
    edge: Address,
    inner: Awaited<ReturnType<typeof bindUdp>>,
    seed: number,
  ) {
    const hot = createHotPath({ memoryMiB: MEMORY_MIB });
    const { region: _, budgetMs, ...line } = world.scenario.publisher;
    this.#agenda = new Agenda(() => this.#shaped.flush());
    const random = new Prng(seed ^ 0x6c078965);
    this.#shaped = new ShapedUdp({
      ...{ inner, world, agenda: this.#agenda, random, nat: "open" },
      bindMore: () => bindUdp({ host: world.publisherIp, port: 0 }),
      access: accessModel(
        { ...IDEAL_ACCESS, ...line } as Parameters<typeof accessModel>[0],
        random,
      ),
      rim: { offered: () => {}, fromEdge: () => {}, handed: () => {} },
    });
    const environment = { hot, random: systemRandom, bootEpoch: 1 };
    this.#publisher = new Publisher(environment, {
      edges: [edge],
      stream: STREAM,
      key: "",
      budgetMs,
      agent: "swarm-publisher",
    });
    let isConnected = (): void => {};
    this.connected = new Promise((resolve) => {
      isConnected = resolve;
    });
    this.#running = runNode<PublisherEvent>({
      node: this.#publisher,
      udp: this.#shaped,
      clock: systemClock,
      hot,
      onEvent: (event) => {
        if (event.type === "connected") isConnected();
        else if (event.type === "refused") console.error(`swarm: ${event.reason} ${event.detail}`);
      },
      onError: (error) => console.error(error),
    });
  }

  static async open(world: SwarmWorld, edge: Address, seed: number): Promise<SwarmPublisher> {
    return new SwarmPublisher(
      world,
      edge,
      await bindUdp({ host: world.publisherIp, port: 0 }),
      seed,
    );
  }

  get epoch(): number {
    return this.#publisher.stats(systemClock.now()).epoch;
  }

  /** Pushes frames as they are due from `startMs` (of `performance.now`) on; tells when each was taken. */
  begin(world: SwarmWorld, seed: number, startMs: number, taken: (atMs: number[]) => void): void {
    const footage = new Footage(world.trace, seed);
    this.#timer = setInterval(() => {
      const atMs: number[] = [];
      while (startMs + footage.nextMs <= performance.now()) {
        const now = systemClock.now();
        this.#publisher.push(now, footage.take());
        atMs.push(performance.timeOrigin + now);
      }
      if (atMs.length === 0) return;
      this.#running.wake();
      taken(atMs);
    }, TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#publisher.close(systemClock.now());
    this.#running.wake();
    this.#running.stop();
    this.#shaped.flush();
    this.#shaped.destroy();
    this.#agenda.stop();
  }
}
