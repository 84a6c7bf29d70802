/**
 * The registry in Redis, through Bun's own client. A connection that fails is thrown away, and the next call makes
 * another: whoever calls once a second needs no more. No call waits longer than `CALL_MS`.
 */
import { RedisClient } from "bun";
import type { LinkReport } from "../../runtime/node/mesh/mesh-api.ts";
import { BEAT, CLAIM, LEAVE, RELEASE } from "./redis-scripts.ts";
import {
  type ClaimResult,
  type EdgeRecord,
  EPOCH_KEEP_MS,
  LEASE_MS,
  type Registry,
  RegistryError,
  type Snapshot,
  type StreamRecord,
} from "./registry.ts";

/** A call not answered by then has failed. */
const CALL_MS = 1000;

export interface RedisRegistryOptions {
  /** `redis://…` or `rediss://…` */
  readonly url: string;
  readonly namespace: string;
  readonly leaseMs?: number;
  /** The URL as it may be shown. */
  readonly name: string;
}

export class RedisRegistry implements Registry {
  readonly name: string;
  readonly #options: RedisRegistryOptions;
  #client: Promise<RedisClient> | undefined;
  #subscriber: Promise<RedisClient> | undefined;
  #listener: (() => void) | undefined;
  #isClosed = false;

  constructor(options: RedisRegistryOptions) {
    this.#options = options;
    this.name = options.name;
  }

  async beat(edge: EdgeRecord, links: readonly LinkReport[]): Promise<Snapshot> {
    const leaseMs = this.#options.leaseMs ?? LEASE_MS;
    const texts = [JSON.stringify(edge), JSON.stringify(links)];
    const answer = await this.#run(BEAT, [edge.edgeId, edge.bootId, ...texts, String(leaseMs)]);
    this.#subscribe();
    const [edges, streams, linkPairs, born] = answer as [string[], string[], string[], string];
    return {
      edges: edges.map((text) => JSON.parse(text)),
      streams: streams.map((text) => JSON.parse(text)),
      links: pairs(linkPairs).map(([edgeId, text]) => ({ edgeId, links: JSON.parse(text) })),
      born,
    };
  }

  async claim(record: StreamRecord): Promise<ClaimResult> {
    const { stream, epoch } = record;
    const args = [stream, JSON.stringify(record), String(epoch), String(EPOCH_KEEP_MS)];
    const [isMine, rest] = (await this.#run(CLAIM, args)) as [number, string];
    if (isMine === 1) return { type: "mine", epochMax: Number(rest) };
    return { type: "taken", by: JSON.parse(rest) };
  }

  async release({ stream, edgeId, bootId }: StreamRecord): Promise<void> {
    await this.#run(RELEASE, [stream, edgeId, bootId]);
  }

  async leave(edgeId: string, bootId: string): Promise<void> {
    await this.#run(LEAVE, [edgeId, bootId]);
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
    discard(this.#subscriber);
  }

  /** One script; a failure of any kind drops the connection. */
  async #run(script: string, args: readonly string[]): Promise<unknown> {
    if (this.#isClosed) throw new RegistryError("closed");
    try {
      this.#client ??= connect(this.#options.url);
      const client = await this.#client;
      const { namespace } = this.#options;
      return await withinTime(client.send("EVAL", [script, "1", namespace, ...args]));
    } catch (error) {
      this.#drop();
      throw new RegistryError(error instanceof Error ? error.message : String(error));
    }
  }

  #drop(): void {
    discard(this.#client);
    this.#client = undefined;
  }

  /** Hears of changes over a connection of its own; made anew, by the next beat, when it is lost. */
  #subscribe(): void {
    if (this.#listener === undefined || this.#subscriber !== undefined) return;
    const subscriber = connect(this.#options.url);
    this.#subscriber = subscriber;
    const lost = () => {
      if (this.#subscriber === subscriber) this.#subscriber = undefined;
    };
    subscriber
      .then(async (client) => {
        client.onclose = lost;
        await client.subscribe(`${this.#options.namespace}:changed`, () => this.#listener?.());
      })
      .catch(lost);
  }
}

async function connect(url: string): Promise<RedisClient> {
  const client = new RedisClient(url, {
    autoReconnect: false,
    connectionTimeout: CALL_MS,
    enableOfflineQueue: false,
  });
  try {
    await withinTime(client.connect());
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

function discard(client: Promise<RedisClient> | undefined): void {
  client?.then(
    (one) => one.close(),
    () => undefined,
  );
}

async function withinTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CALL_MS} ms`)), CALL_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function pairs(list: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let i = 0; i + 1 < list.length; i += 2)
    found.push([list[i] as string, list[i + 1] as string]);
  return found;
}
