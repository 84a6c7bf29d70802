/**
 * A whole stream in one call: publisher → edge → viewers on named links, in virtual time, every
 * frame that was published and played written down. The tests of the roles stand on it; a scenario
 * needs more and has its own.
 */
import type { HotPath } from "../core/hot-path/hot-path.ts";
import type { EdgeEvent, PeerEvent, PeerOptions, PublisherEvent } from "../node/api.ts";
import { Edge } from "../node/edge/edge.ts";
import { Peer } from "../node/peer/peer.ts";
import { Publisher } from "../node/publisher.ts";
import { createHotPath } from "../wasm/create.ts";
import { FrameKind, type MediaFrame } from "../wire/frame.ts";
import { FOOTAGE_480P, Footage, makeTrace, type Trace } from "./footage.ts";
import { HostRole } from "./network/host-role.ts";
import type { HostSpec } from "./network/network.ts";
import { type AccessModel, PRESETS, type PresetName } from "./network/presets.ts";
import { World, type WorldNode } from "./world.ts";

export interface StreamWorldOptions {
  readonly seed: number;
  /** Access of the viewers, and of the publisher unless it has its own; the edge's is ideal. */
  readonly link: PresetName | AccessModel;
  readonly publisherLink?: PresetName | AccessModel;
  readonly viewers: number;
  readonly hotKind?: "wasm" | "twin";
  readonly memoryMiB?: number;
  readonly trace?: Trace;
  /** Time to live of a frame from publisher to edge, ms. */
  readonly budgetMs?: number;
  readonly peer?: Partial<PeerOptions>;
  readonly maxViewers?: number;
  readonly isTraced?: boolean;
}

export interface PublishedFrame {
  /** Number of the encoder run it belongs to, from 0. */
  readonly run: number;
  readonly frame: MediaFrame;
  readonly atMs: number;
  readonly digest: string;
}

export interface PlayedFrame {
  readonly epoch: number;
  readonly kind: FrameKind;
  readonly dtsMs: number;
  readonly digest: string;
  /** World time at which the peer handed it on. */
  readonly atMs: number;
  readonly decodeOnly: boolean;
  readonly damaged: boolean;
}

/** What one viewer has seen. */
export interface ViewerLog {
  readonly played: PlayedFrame[];
  /** Everything but frames and skips. */
  readonly events: PeerEvent[];
  skipped: number;
}

export const STREAM = "live/test";
export const KEY = "a stream key";

export class StreamWorld {
  readonly world: World;
  readonly hot: HotPath;
  readonly edge: WorldNode<Edge>;
  readonly publisher: WorldNode<Publisher>;
  readonly peers: WorldNode<Peer>[] = [];
  readonly published: PublishedFrame[] = [];
  readonly publisherEvents: PublisherEvent[] = [];
  readonly edgeEvents: EdgeEvent[] = [];
  readonly #options: StreamWorldOptions;
  readonly #logs = new Map<number, ViewerLog>();
  #footage: Footage;
  #footageFromMs = 0;
  #run = 0;
  #isPublishing = false;

  constructor(options: StreamWorldOptions) {
    this.#options = options;
    this.world = new World({ seed: options.seed, isTraced: options.isTraced ?? false });
    this.hot = createHotPath({
      kind: options.hotKind ?? "wasm",
      memoryMiB: options.memoryMiB ?? 64,
    });
    this.#footage = this.#newFootage();
    this.edge = this.world.add({
      host: { ...this.#host(1, HostRole.edge), ...PRESETS.ideal },
      create: (env) =>
        new Edge(env, {
          keyOf: (stream) => (stream === STREAM ? KEY : undefined),
          maxViewers: options.maxViewers ?? 1000,
          retainMs: 5000,
          groupMsMax: 12_000,
          agent: "sim-edge",
        }),
    });
    this.publisher = this.addPublisher(KEY);
    this.world.onEvent = (node, event, atMs) => this.#handleEvent(node, event, atMs);
    for (let i = 0; i < options.viewers; i++) this.addPeer();
  }

  /** One more publisher of the stream; only the first one's frames are made by `publish`. */
  addPublisher(key: string): WorldNode<Publisher> {
    const budgetMs = this.#options.budgetMs;
    const node: WorldNode<Publisher> = this.world.add({
      host: {
        ...this.#host(2 + this.world.network.hosts.length, HostRole.publisher),
        ...accessOf(this.#options.publisherLink ?? this.#options.link),
      },
      create: (env) =>
        new Publisher(env, {
          edges: [this.edge.host.address],
          stream: STREAM,
          key,
          agent: "sim-publisher",
          ...(budgetMs === undefined ? {} : { budgetMs }),
        }),
    });
    return node;
  }

  addPeer(overrides: Partial<PeerOptions> = {}): WorldNode<Peer> {
    const peer: WorldNode<Peer> = this.world.add({
      host: {
        ...this.#host(2 + this.world.network.hosts.length, HostRole.peer),
        ...accessOf(this.#options.link),
      },
      create: (env) =>
        new Peer(env, {
          edges: [this.edge.host.address],
          stream: STREAM,
          targetMs: 800,
          targetMsMin: 300,
          targetMsMax: 1500,
          strict: false,
          uploadBytesPerSecondMax: 0,
          agent: "sim-peer",
          ...this.#options.peer,
          ...overrides,
        }),
    });
    this.#logs.set(peer.id, { played: [], events: [], skipped: 0 });
    this.peers.push(peer);
    return peer;
  }

  /** Plays the footage as live from now on, frame by frame when it is due. */
  publish(): void {
    if (this.#isPublishing) return;
    this.#isPublishing = true;
    this.#footageFromMs = this.world.nowMs;
    this.#fileFrame();
  }

  /** Stops after the present frame, as an encoder that is cut off. */
  pause(): void {
    this.#isPublishing = false;
  }

  /**
   * The encoder starts over: the same footage from its beginning, with other bytes, in a new epoch.
   */
  startOver(): void {
    this.#run++;
    this.#footage = this.#newFootage();
    this.#footageFromMs = this.world.nowMs;
  }

  /** What a viewer has seen so far. */
  log(peer: WorldNode<Peer>): ViewerLog {
    return this.#logs.get(peer.id) as ViewerLog;
  }

  #newFootage(): Footage {
    const { seed, trace } = this.#options;
    return new Footage(trace ?? makeTrace(FOOTAGE_480P, 5, seed), seed * 31 + this.#run);
  }

  #fileFrame(): void {
    const at = this.#footageFromMs + this.#footage.nextMs;
    this.world.at(Math.max(at, this.world.nowMs), () => this.#pushDue());
  }

  #pushDue(): void {
    const nowMs = this.world.nowMs;
    while (this.#isPublishing && this.#footageFromMs + this.#footage.nextMs <= nowMs) {
      const frame = this.#footage.take();
      const { node } = this.publisher;
      if (node === undefined) continue;
      this.published.push({ run: this.#run, frame, atMs: nowMs, digest: digestOf(frame) });
      this.publisher.command((publisher, now) => publisher.push(now, frame));
    }
    if (this.#isPublishing) this.#fileFrame();
  }

  #handleEvent(node: number, event: unknown, atMs: number): void {
    if (node === this.edge.id) this.edgeEvents.push(event as EdgeEvent);
    else if (node === this.publisher.id) this.publisherEvents.push(event as PublisherEvent);
    else this.#handlePeerEvent(node, event as PeerEvent, atMs);
  }

  #handlePeerEvent(node: number, event: PeerEvent, atMs: number): void {
    const log = this.#logs.get(node);
    if (log === undefined) return; /* another publisher */
    if (event.type === "frame") {
      const { frame, epoch, decodeOnly, damaged } = event;
      const { kind, dtsMs } = frame;
      log.played.push({ epoch, kind, dtsMs, digest: digestOf(frame), atMs, decodeOnly, damaged });
    } else if (event.type === "skipped") log.skipped += event.frames;
    else log.events.push(event);
  }

  #host(number: number, role: HostRole): Omit<HostSpec, "up" | "down"> {
    const ip = `10.0.${number >> 8}.${number & 255}`;
    return { address: { family: 4, ip, port: 4000 }, region: 0, hot: this.hot, role };
  }
}

export function createStreamWorld(options: StreamWorldOptions): StreamWorld {
  return new StreamWorld(options);
}

/** Codec configurations and metadata, which are sent again with every group. */
export function isRepeated(kind: FrameKind): boolean {
  return kind <= FrameKind.metadata;
}

function accessOf(link: PresetName | AccessModel): AccessModel {
  return typeof link === "string" ? PRESETS[link] : link;
}

/** A frame's identity by everything in it. */
function digestOf({ kind, dtsMs, ptsOffsetMs, body }: MediaFrame): string {
  let a = 0x811c9dc5;
  let b = 0x9e3779b1;
  for (const byte of body) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = (Math.imul(b, 31) + byte) | 0;
  }
  return `${kind} ${dtsMs} ${ptsOffsetMs} ${body.length} ${a >>> 0} ${b >>> 0}`;
}
