/** The registry within one process: for an edge by itself, and for several in a test. */
import type { EdgeLinks, LinkReport } from "../../runtime/node/mesh/mesh-api.ts";
import {
  type ClaimResult,
  type EdgeRecord,
  EPOCH_KEEP_MS,
  LEASE_MS,
  type Registry,
  type Snapshot,
  type StreamRecord,
} from "./registry.ts";

interface Member {
  readonly edge: EdgeRecord;
  readonly links: EdgeLinks;
  readonly leaseUntil: number;
}

/** What all registries of one process share. `now` is any clock, ms. */
export class MemoryStore {
  readonly now: () => number;
  readonly members = new Map<string, Member>();
  readonly streams = new Map<string, StreamRecord>();
  readonly epochs = new Map<string, { readonly epoch: number; readonly until: number }>();
  readonly listeners = new Set<() => void>();

  constructor(now: () => number) {
    this.now = now;
  }

  /** Takes out whose lease is over, and what they held. */
  expire(): void {
    const now = this.now();
    for (const [id, { leaseUntil }] of this.members) if (leaseUntil <= now) this.members.delete(id);
    for (const [stream, { edgeId, bootId }] of this.streams) {
      if (this.members.get(edgeId)?.edge.bootId !== bootId) this.streams.delete(stream);
    }
    for (const [stream, { until }] of this.epochs) if (until <= now) this.epochs.delete(stream);
  }

  changed(): void {
    for (const listener of this.listeners) queueMicrotask(listener);
  }
}

export class MemoryRegistry implements Registry {
  readonly name = "memory";
  readonly #store: MemoryStore;
  readonly #leaseMs: number;
  #listener: (() => void) | undefined;

  constructor(store: MemoryStore, leaseMs = LEASE_MS) {
    this.#store = store;
    this.#leaseMs = leaseMs;
  }

  async beat(edge: EdgeRecord, links: readonly LinkReport[]): Promise<Snapshot> {
    const store = this.#store;
    store.expire();
    const { edgeId, bootId } = edge;
    const isNew = store.members.get(edgeId)?.edge.bootId !== bootId;
    const leaseUntil = store.now() + this.#leaseMs;
    store.members.set(edgeId, { edge, links: { edgeId, links }, leaseUntil });
    store.expire();
    if (isNew) store.changed();
    const members = [...store.members.values()];
    return {
      edges: members.map((member) => member.edge),
      streams: [...store.streams.values()],
      links: members.map((member) => member.links),
      born: "memory",
    };
  }

  async claim(record: StreamRecord): Promise<ClaimResult> {
    const store = this.#store;
    store.expire();
    const { stream, edgeId, publisher, epoch } = record;
    const holder = store.streams.get(stream);
    if (holder !== undefined && holder.edgeId !== edgeId && holder.publisher !== publisher) {
      return { type: "taken", by: holder };
    }
    const epochMax = store.epochs.get(stream)?.epoch ?? 0;
    store.streams.set(stream, record);
    const until = store.now() + EPOCH_KEEP_MS;
    store.epochs.set(stream, { epoch: Math.max(epochMax, epoch), until });
    store.changed();
    return { type: "mine", epochMax };
  }

  async release({ stream, edgeId, bootId }: StreamRecord): Promise<void> {
    const holder = this.#store.streams.get(stream);
    if (holder?.edgeId !== edgeId || holder.bootId !== bootId) return;
    this.#store.streams.delete(stream);
    this.#store.changed();
  }

  async leave(edgeId: string, bootId: string): Promise<void> {
    if (this.#store.members.get(edgeId)?.edge.bootId !== bootId) return;
    this.#store.members.delete(edgeId);
    this.#store.expire();
    this.#store.changed();
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
    this.#store.listeners.add(listener);
  }

  close(): void {
    if (this.#listener !== undefined) this.#store.listeners.delete(this.#listener);
  }
}
