/** An edge among others, as its publishers and viewers meet it; how streams get from edge to edge is not looked at. */
import { describe, expect, test } from "bun:test";
import { HostRole } from "../../sim/network/host-role.ts";
import { IDEAL } from "../../sim/network/link.ts";
import { World, type WorldNode } from "../../sim/world.ts";
import { createHotPath } from "../../wasm/create.ts";
import type { Address } from "../../wire/address.ts";
import { FrameKind } from "../../wire/frame.ts";
import type { EdgeEvent, PeerEvent, PublisherEvent } from "../api.ts";
import type { ClusterHooks } from "../cluster-api.ts";
import { Peer } from "../peer/peer.ts";
import { Publisher } from "../publisher.ts";
import { Edge } from "./edge.ts";

const STREAM = "live/a";
const KEY = "a stream key";
const FRAME_MS = 40;

/** Some edges at 10.0.0.1, .2 …, each 10 ms away from everybody. */
class Edges {
  readonly world = new World({ seed: 1 });
  readonly hot = createHotPath({ memoryMiB: 64 });
  readonly edges: WorldNode<Edge>[] = [];
  readonly events = new Map<number, { readonly event: unknown; readonly atMs: number }[]>();
  #hosts = 0;

  constructor(hooks: readonly Partial<ClusterHooks>[], maxViewers = 100) {
    this.world.onEvent = (node, event, atMs) => {
      const list = this.events.get(node) ?? [];
      list.push({ event, atMs });
      this.events.set(node, list);
    };
    for (const own of hooks) {
      const cluster: ClusterHooks = {
        knows: () => false,
        claim: () => "mine",
        redirect: () => undefined,
        ...own,
      };
      const create = (env: ConstructorParameters<typeof Edge>[0]) =>
        new Edge(env, {
          keyOf: (stream) => (stream === STREAM ? KEY : undefined),
          maxViewers,
          retainMs: 5000,
          groupMsMax: 12_000,
          agent: "edge",
          cluster,
        });
      this.edges.push(this.world.add({ host: this.#host(HostRole.edge), create }));
    }
  }

  #host(role: HostRole) {
    const address = { family: 4 as const, ip: `10.0.0.${++this.#hosts}`, port: 4000 };
    const way = { ...IDEAL, delayMs: 5 };
    return { address, up: way, down: way, region: 0, hot: this.hot, role };
  }

  at(i: number): Address {
    return this.edge(i).host.address;
  }

  edge(i: number): WorldNode<Edge> {
    return this.edges[i] as WorldNode<Edge>;
  }

  publisher(edges: readonly Address[]): WorldNode<Publisher> {
    return this.world.add({
      host: this.#host(HostRole.publisher),
      create: (env) => new Publisher(env, { edges, stream: STREAM, key: KEY, agent: "publisher" }),
    });
  }

  viewer(edges: readonly Address[], stream = STREAM): WorldNode<Peer> {
    const play = { targetMs: 700, targetMsMin: 300, targetMsMax: 1500, strict: false };
    return this.world.add({
      host: this.#host(HostRole.peer),
      create: (env) =>
        new Peer(env, { edges, stream, ...play, uploadBytesPerSecondMax: 0, agent: "viewer" }),
    });
  }

  /** Frames every 40 ms, a key frame each second, until `untilMs`. */
  publish(publisher: WorldNode<Publisher>, untilMs: number): void {
    const fromMs = this.world.nowMs;
    for (let i = 0; fromMs + i * FRAME_MS < untilMs; i++) {
      this.world.at(fromMs + i * FRAME_MS, () => {
        const kind = i % 25 === 0 ? FrameKind.key : FrameKind.inter;
        const frame = { kind, dtsMs: i * FRAME_MS, ptsOffsetMs: 0, body: new Uint8Array(400) };
        publisher.command((node, now) => node.push(now, frame));
      });
    }
  }

  pass(forMs: number): void {
    this.world.run(this.world.nowMs + forMs);
  }

  of<E extends EdgeEvent | PeerEvent | PublisherEvent>(node: WorldNode<never>): E[] {
    return (this.events.get(node.id) ?? []).map(({ event }) => event as E);
  }

  links(node: WorldNode<never>): string[] {
    return this.of<PublisherEvent>(node).flatMap((event) => {
      if (event.type === "connected") return [`connected ${event.to.ip}`];
      return event.type === "refused" || event.type === "disconnected"
        ? [`${event.type} ${event.reason}${event.final ? " for good" : ""}`]
        : [];
    });
  }

  /** Takes an edge off the network without a word. */
  kill(i: number): void {
    this.edge(i).stop((edge, now) => edge.close(now), true);
  }

  playedAt(node: WorldNode<never>): number[] {
    return (this.events.get(node.id) ?? [])
      .filter(({ event }) => (event as PeerEvent).type === "frame")
      .map(({ atMs }) => atMs);
  }
}

describe("an edge that dies", () => {
  test("is left by its publisher within a second, for one it was told of", () => {
    const all = new Edges([{}, {}]);
    all.edge(0).command((edge, now) => edge.setOthers(now, [all.at(1)]));
    const publisher = all.publisher([all.at(0)]);
    all.pass(1000);
    all.publish(publisher, 6000);
    all.pass(2000);
    all.kill(0);
    const killedAt = all.world.nowMs;
    all.pass(3000);
    expect(all.links(publisher as never)).toEqual([
      "connected 10.0.0.1",
      "disconnected timeout",
      "connected 10.0.0.2",
    ]);
    const begun = all.events.get(all.edge(1).id)?.find(({ event }) => {
      return (event as EdgeEvent).type === "streamStarted";
    });
    expect(begun?.event).toMatchObject({ epoch: publisher.node?.stats(0 as never).epoch });
    expect((begun?.atMs ?? Number.NaN) - killedAt).toBeLessThan(1000);
  });

  test("is left by a viewer that plays on, of the same run, with less than a second's gap", () => {
    const all = new Edges([{}, {}]);
    all.edge(0).command((edge, now) => edge.setOthers(now, [all.at(1)]));
    const viewer = all.viewer([all.at(0)]);
    /* Two publishers with the same epoch and frames stand for one stream that both edges carry. */
    for (const edge of [0, 1]) {
      const publisher = all.publisher([all.at(edge)]);
      all.world.at(1000, () => all.publish(publisher, 9000));
    }
    all.pass(4000);
    all.kill(0);
    all.pass(4000);
    const at = all.playedAt(viewer as never).filter((time) => time > 3000);
    const gaps = at.slice(1).map((time, i) => time - (at[i] as number));
    expect(Math.max(...gaps)).toBeLessThan(1000);
    expect(at.at(-1)).toBeGreaterThan(7900);
    const epochs = all.of<PeerEvent>(viewer as never).filter(({ type }) => type === "epoch");
    expect(epochs.length).toBe(1);
  });

  test("that is only slow is not left: it is asked, and answers", () => {
    const all = new Edges([{}, {}]);
    all.edge(0).command((edge, now) => edge.setOthers(now, [all.at(1)]));
    const viewer = all.viewer([all.at(0)]);
    all.pass(1000);
    viewer.host.up.configure({ ...IDEAL, loss: { kind: "iid", rate: 1 } });
    all.pass(600);
    viewer.host.up.configure({ ...IDEAL, delayMs: 5 });
    all.pass(3000);
    expect(all.links(viewer as never)).toEqual(["connected 10.0.0.1"]);
  });
});

describe("an edge that goes away", () => {
  test("is left without a gap, its publisher's run goes on elsewhere", () => {
    const all = new Edges([{}, {}]);
    all.edge(0).command((edge, now) => edge.setOthers(now, [all.at(1)]));
    const publisher = all.publisher([all.at(0)]);
    all.pass(500);
    all.publish(publisher, 5000);
    all.pass(1500);
    all.edge(0).command((edge, now) => {
      edge.drain(now);
      expect(edge.moveAway(now, 10)).toBe(1);
    });
    all.pass(1000);
    expect(all.edge(0).command((edge, now) => edge.moveAway(now, 10))).toBe(0);
    expect(all.links(publisher as never)).toEqual([
      "connected 10.0.0.1",
      "disconnected moved",
      "connected 10.0.0.2",
    ]);
    const [old, next] = [0, 1].map((i) => all.of<EdgeEvent>(all.edge(i) as never));
    expect(old?.some(({ type }) => type === "streamEnded")).toBe(false);
    expect(next?.filter(({ type }) => type === "streamStarted").length).toBe(1);
  });

  test("and knows of no other keeps those it has", () => {
    const all = new Edges([{}]);
    const viewer = all.viewer([all.at(0)]);
    all.pass(500);
    expect(all.edge(0).command((edge, now) => edge.moveAway(now, 10))).toBe(1);
    all.pass(1000);
    expect(all.links(viewer as never)).toEqual(["connected 10.0.0.1"]);
  });
});

describe("an edge that is full", () => {
  test("sends on those who come, who then ask the one it names", () => {
    const to: Address[] = [];
    const all = new Edges([{ redirect: () => ({ to, why: "full" }) }, {}]);
    to.push(all.at(1));
    const viewer = all.viewer([all.at(0)]);
    all.pass(500);
    expect(all.links(viewer as never)).toEqual(["refused moved", "connected 10.0.0.2"]);
  });

  test("is followed three times at most, and takes who comes for the fourth", () => {
    const circle: Address[][] = [[], []];
    const hooks = circle.map((to) => ({ redirect: () => ({ to, why: "full" }) }));
    const all = new Edges(hooks);
    circle[0]?.push(all.at(1));
    circle[1]?.push(all.at(0));
    const viewer = all.viewer([all.at(0)]);
    all.pass(1000);
    expect(all.links(viewer as never)).toEqual([
      "refused moved",
      "refused moved",
      "refused moved",
      "connected 10.0.0.2",
    ]);
  });

  test("gives who it can send nowhere its own reason", () => {
    const all = new Edges([{}], 0);
    const viewer = all.viewer([all.at(0)]);
    all.pass(500);
    expect(all.links(viewer as never)[0]).toBe("refused overloaded");
  });
});

describe("a stream", () => {
  test("that another edge has is refused here, and the publisher told where it is", () => {
    const all = new Edges([{ claim: () => ({ by: "fra-2" }) }]);
    const publisher = all.publisher([all.at(0)]);
    all.pass(500);
    const [refused] = all.of<PublisherEvent>(publisher as never);
    expect(refused).toMatchObject({ type: "refused", reason: "stream busy" });
    expect((refused as { detail: string }).detail).toContain("is being published at fra-2");
  });

  test("that nobody knows of yet waits for word, and is taken the moment it comes", () => {
    let word: "mine" | "later" = "later";
    const asked: string[] = [];
    const claim: ClusterHooks["claim"] = (stream, publisher) => {
      asked.push(`${stream} ${publisher.length}`);
      return word;
    };
    const all = new Edges([{ claim }]);
    const publisher = all.publisher([all.at(0)]);
    all.pass(100);
    expect(all.links(publisher as never)).toEqual([]);
    expect(asked[0]).toBe(`${STREAM} 16`);
    word = "mine";
    all.edge(0).command((edge, now) => edge.settleClaim(now, STREAM));
    all.pass(30);
    expect(all.links(publisher as never)).toEqual(["connected 10.0.0.1"]);
  });

  test("lost to another publisher ends here, and this one is told", () => {
    const all = new Edges([{}]);
    const publisher = all.publisher([all.at(0)]);
    all.pass(500);
    all.publish(publisher, 5000);
    all.pass(500);
    const isLost = all.edge(0).command((edge, now) => {
      return edge.yieldStream(now, STREAM, "lost", "published at fra-2");
    });
    expect(isLost).toBe(true);
    all.pass(100);
    expect(all.links(publisher as never)[1]).toBe("disconnected stream busy");
    const ended = all
      .of<EdgeEvent>(all.edge(0) as never)
      .find(({ type }) => type === "streamEnded");
    expect(ended).toMatchObject({ reason: "stream busy" });
  });

  test("is asked for while somebody here waits for it", () => {
    const all = new Edges([{ knows: (stream) => stream === "live/far" }]);
    const viewer = all.viewer([all.at(0)], "live/far");
    all.pass(500);
    const demand = () => all.edge(0).command((edge) => edge.presence().wanted);
    expect(demand()).toEqual(["live/far"]);
    viewer.stop((peer, now) => peer.close(now), false);
    all.pass(100);
    expect(demand()).toEqual([]);
  });
});
