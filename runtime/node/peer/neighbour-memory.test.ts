/** What an idle neighbour costs a peer, on both sides of the border: ten thousand viewers have forty each. */

import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { type Ms, ms } from "../../base/time.ts";
import { Uplink } from "../../core/sending/uplink.ts";
import { NodeContext } from "../../core/session/node-context.ts";
import { Outbox } from "../../core/session/outbox.ts";
import {
  ACK_PEER,
  type Session,
  type StreamSink,
  type StreamSource,
} from "../../core/session/session.ts";
import { silentHost as host } from "../../core/testing/silent-host.ts";
import { createScorer } from "../../score/scorer.ts";
import { createHotPath } from "../../wasm/create.ts";
import type { Address } from "../../wire/address.ts";
import { encodeControl } from "../../wire/control.ts";
import { Outlet } from "../edge/outlet.ts";
import { SWARM_PARAMS } from "../swarm-params.ts";
import { Neighbours } from "./neighbours.ts";

const NEIGHBOURS = 40;
const PEERS = 100;
/** A neighbour that was pinged, has said what it has, and was told what we have; bytes. */
const NEIGHBOUR_BYTES_MAX = 1900;
const MAP_BYTES = 48;
const MESSAGE = { t: "ended", index: 1, next: 0 } as const;

const sink: StreamSink = { handleFragment() {} };
const source: StreamSource = { store: 0 };
const hot = createHotPath({ memoryMiB: 64 });
const random = new Prng(1);
const kept: unknown[] = [];

class Peer {
  readonly outbox = new Outbox<never>(hot);
  readonly uplink = new Uplink({ rateBpsInitial: 8e6, rateBpsMax: 8e6 });
  readonly context = new NodeContext(hot, random, this.outbox, this.uplink);
  readonly neighbours = new Neighbours(SWARM_PARAMS, random, createScorer("rtt", random));
  readonly outlet = new Outlet(hot, "live/a");

  constructor(addresses: readonly Address[]) {
    for (const address of addresses) this.#enter(address);
  }

  #enter(address: Address): void {
    const { context } = this;
    const now = ms(1000);
    const [localHi, localLo] = context.newConnectionId();
    const ids = { localHi, localLo, remoteHi: random.uint32(), remoteLo: random.uint32() };
    const session = context.open(now, host, ids, address, ACK_PEER);
    if (session === undefined) throw new Error("no memory");
    const node = new Uint8Array(8);
    random.fill(node);
    session.sinks.set(1, sink);
    session.sources.set(session.nextStreamIndex(), source);
    const neighbour = this.neighbours.add(now, session, node, 1, "mesh");
    this.outlet.add(now, session, { mask: 0, k: SWARM_PARAMS.subStreams });
    this.#talk(now, session);
    neighbour.handleMap(now, {
      stream: 1,
      base: 0,
      run: 0,
      spareBps: 0,
      bits: new Uint8Array(MAP_BYTES),
    });
  }

  /** Pings answered, and a control message each way, settled. */
  #talk(now: Ms, session: Session): void {
    for (let i = 0; i < 3; i++) session.handlePong(ms(now + 20), now, 10_100, 10_100);
    session.agent = "peer";
    session.sendControl(now, MESSAGE);
    session.control?.handleSettled(0, true);
    session.handleControlBytes(now, 0, encodeControl(MESSAGE));
    hot.packetReceived(session.handle, now, 0);
    session.flush(now);
    this.context.finish(now);
    while (this.outbox.poll() !== undefined);
  }
}

function used(): { heap: number; hot: number } {
  Bun.gc(true);
  Bun.gc(true);
  return { heap: heapStats().heapSize, hot: hot.memoryUsed() };
}

function cost(peers: number, neighbours: number): { heap: number; hot: number } {
  const addresses = Array.from({ length: neighbours }, (_, i) => {
    return { family: 4, ip: `10.0.${i >> 8}.${i & 255}`, port: 4000 } as const;
  });
  const before = used();
  for (let i = 0; i < peers; i++) kept.push(new Peer(addresses));
  const after = used();
  return { heap: after.heap - before.heap, hot: after.hot - before.hot };
}

describe("an idle neighbour", () => {
  test("costs at most 1.9 KB, its session in the hot path included", () => {
    cost(5, NEIGHBOURS); /* what everybody shares is made */
    const without = cost(PEERS, 0);
    const all = cost(PEERS, NEIGHBOURS);
    const each = {
      heap: (all.heap - without.heap) / (PEERS * NEIGHBOURS),
      hot: (all.hot - without.hot) / (PEERS * NEIGHBOURS),
    };
    expect(each.heap + each.hot).toBeLessThan(NEIGHBOUR_BYTES_MAX);
  });
});
