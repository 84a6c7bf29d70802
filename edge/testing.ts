/** For tests with real sockets: an edge on loopback, and publishers and peers that reach it by UDP. */
import { bindUdp } from "../runtime/io/bind-udp.ts";
import { systemClock } from "../runtime/io/clock.ts";
import { runNode } from "../runtime/io/driver.ts";
import { systemRandom } from "../runtime/io/entropy.ts";
import type { PeerEvent, PublisherEvent } from "../runtime/node/api.ts";
import type { Node, NodeEnvironment } from "../runtime/node/node.ts";
import { Peer } from "../runtime/node/peer/peer.ts";
import { Publisher } from "../runtime/node/publisher.ts";
import { createHotPath } from "../runtime/wasm/create.ts";
import type { Address } from "../runtime/wire/address.ts";
import type { MediaFrame } from "../runtime/wire/frame.ts";
import { parseConfig } from "./config/load.ts";
import { startLogs } from "./log.ts";
import { type EdgeProgram, startEdge } from "./program.ts";

/** Every listener on a free port of loopback; short times. */
export const TEST_CONFIG = `
[udp]
host = "127.0.0.1"
port = 0
[http]
host = "127.0.0.1"
port = 0
reader_queue_kib = 256
reader_timeout_ms = 1000
[api]
port = 0
[rtmp]
host = "127.0.0.1"
port = 0
[buffer]
memory_mib = 32
[log]
level = "error"
[streams."live/*"]
key = "correct horse"
`;
const KEY = "correct horse";
const WAIT_MS_MAX = 25_000;

export interface TestPublisher {
  readonly role: Publisher;
  readonly events: readonly PublisherEvent[];
  push(frame: MediaFrame): void;
  /** Waits until the edge has taken it in. */
  connected(): Promise<void>;
}

/** One edge and whoever is connected to it. */
export class TestEdge {
  readonly program: EdgeProgram;
  readonly #ends: (() => void)[] = [];

  private constructor(program: EdgeProgram) {
    this.program = program;
  }

  static async start(text = TEST_CONFIG): Promise<TestEdge> {
    const result = parseConfig(text, "edge.toml", {});
    if ("errors" in result) throw new Error(result.errors.join("\n"));
    const { config } = result;
    return new TestEdge(await startEdge(config, startLogs(config.log), "0.0.0-test"));
  }

  /** Of the viewers' and operators' listeners. */
  get http(): string {
    return this.program.addresses.http ?? "";
  }
  get api(): string {
    return this.program.addresses.api ?? "";
  }

  /** Something to end before the edge does. */
  onStop(end: () => void): void {
    this.#ends.push(end);
  }

  /** Everybody leaves, the edge stays. */
  leave(): void {
    for (const end of this.#ends.splice(0)) end();
  }

  async stop(): Promise<void> {
    for (const end of this.#ends.splice(0)) end();
    await this.program.stop();
  }

  async publish(stream: string, key = KEY): Promise<TestPublisher> {
    const { role, events, wake } = await this.#run<PublisherEvent, Publisher>(
      (env, edges) => new Publisher(env, { edges, stream, key, agent: "test" }),
    );
    return {
      role,
      events,
      push(frame) {
        role.push(systemClock.now(), frame);
        wake();
      },
      async connected() {
        await until(() => events.some(({ type }) => type === "connected"));
      },
    };
  }

  /** A viewer's peer; gives its events. */
  async watch(stream: string): Promise<readonly PeerEvent[]> {
    const play = { targetMs: 800, targetMsMin: 300, targetMsMax: 1500, strict: false };
    const rest = { uploadBytesPerSecondMax: 0, agent: "test" };
    const { events } = await this.#run<PeerEvent, Peer>(
      (env, edges) => new Peer(env, { edges, stream, ...play, ...rest }),
    );
    return events;
  }

  async isLive(stream: string): Promise<boolean> {
    const body = await (await fetch(`${this.http}/status.json`)).json();
    return (body as { streams: { name: string }[] }).streams.some(({ name }) => name === stream);
  }

  /** A role on a socket of its own; its events are collected. */
  async #run<Event, Role extends Node<Event>>(
    create: (env: NodeEnvironment, edges: Address[]) => Role,
  ): Promise<{ role: Role; events: Event[]; wake: () => void }> {
    const hot = createHotPath({ memoryMiB: 16 });
    const udp = await bindUdp({ host: "127.0.0.1", port: 0 });
    const port = Number(this.program.addresses.udp?.split(":")[1]);
    const address: Address = { family: 4, ip: "127.0.0.1", port };
    const role = create({ hot, random: systemRandom, bootEpoch: 1 }, [address]);
    const events: Event[] = [];
    const loop = runNode<Event>({
      node: role,
      udp,
      clock: systemClock,
      hot,
      onEvent: (event) => events.push(event),
      onError: (error) => {
        throw error;
      },
    });
    this.onStop(() => loop.stop());
    return { role, events, wake: () => loop.wake() };
  }
}

type Probe<T> = () => T | undefined | false | Promise<T | undefined | false>;

/** Waits for something real; the bound is only there to fail rather than hang. */
export async function until<T>(probe: Probe<T>): Promise<T> {
  const end = performance.now() + WAIT_MS_MAX;
  while (performance.now() < end) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    await Bun.sleep(10);
  }
  throw new Error(`waited for ${WAIT_MS_MAX} ms in vain`);
}
