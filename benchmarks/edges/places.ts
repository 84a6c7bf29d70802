/**
 * Where the edges of the lab stand: four of them with two or three lines each, in network namespaces that a WAN
 * emulator joins; or, where that may not be had, side by side on loopback with nothing between them.
 *
 *   publisher ── isp-a ══ peering ══ isp-b ── viewers     cheap: 8 ms and 0.5 % loss to each edge, each way;
 *               /  \                /  |  \               the peering 14 ms and 2 %
 *             e1    e2────────────e2   e3  e4
 *               \    \             |   |  /
 *                └────┴─── bgp ────┴───┴─┘                dear: 6 ms, no loss
 */
import type { WanLink, WanNetwork, WanNode } from "../wan/emulator/network.ts";

const CHEAP = { delayMs: 8, jitterMs: 1, loss: 0.005 };
const PEERING = { delayMs: 14, jitterMs: 2, loss: 0.02 };
const DEAR = { delayMs: 6 };
const HOME = { delayMs: 5 };

export type EdgeName = "e1" | "e2" | "e3" | "e4";
export const EDGES: readonly EdgeName[] = ["e1", "e2", "e3", "e4"];
type Hub = "isp-a" | "isp-b" | "bgp";
const HUBS: readonly Hub[] = ["isp-a", "isp-b", "bgp"];
/** The first is the line of [udp]. */
const LINES: Readonly<Record<EdgeName, readonly Hub[]>> = {
  e1: ["isp-a", "bgp"],
  e2: ["isp-a", "isp-b", "bgp"],
  e3: ["isp-b", "bgp"],
  e4: ["isp-b", "bgp"],
};
const HOMES = { publisher: "isp-a", viewers: "isp-b" } as const;
export const COST = { "isp-a": 1, "isp-b": 1, bgp: 10 } as const;

export type Program = Bun.Subprocess<"pipe", "pipe", "inherit" | "ignore">;

export interface Line {
  readonly name: Hub;
  readonly address: string;
}

export interface Place {
  readonly lines: readonly Line[];
  /** Where Redis is reached from here. */
  readonly redis: string;
  spawn(command: readonly string[]): Program;
}

export interface Places {
  readonly edges: ReadonlyMap<EdgeName, Place>;
  readonly publisher: Place;
  readonly viewers: Place;
  readonly redis: Place;
  /** Why links are not emulated. */
  readonly missing: string | undefined;
  /** The peering between the ISPs dies, or comes back. Only with emulated links. */
  cut(isCut: boolean): Promise<void>;
  /** How late the emulator was at worst, ms: a figure of the machine. NaN without emulated links. */
  lateMsMax(): Promise<number>;
  /** IP bytes that edges have sent on dear lines; NaN without emulated links. */
  dearBytes(): Promise<number>;
  close(): Promise<void>;
}

/* ------------------------------------------------------------------ in namespaces */

interface Route {
  readonly address: string;
  readonly hub: Hub;
}

export async function openNamespaces(network: WanNetwork): Promise<Places> {
  const hubs = new Map<Hub, WanNode>();
  for (const hub of HUBS) hubs.set(hub, await network.node(hub));
  const redis = await network.node("redis");
  const routes: Route[] = [];
  const dear: WanLink[] = [];
  const edges = new Map<EdgeName, Place>();
  const nodeOf = (hub: Hub) => hubs.get(hub) as WanNode;

  /** A place's lines, each with its own table of routes, so that what comes by a line is answered by it. */
  const connect = async (name: string, lines: readonly Hub[], isEdge: boolean): Promise<Place> => {
    const node = await network.node(name);
    node.ip("link set dev lo up");
    const ends: Line[] = [];
    for (const [i, hub] of lines.entries()) {
      const profile = hub === "bgp" ? DEAR : isEdge ? CHEAP : HOME;
      const link = await network.link(node, nodeOf(hub), profile, { seed: 10 + routes.length });
      if (hub === "bgp") dear.push(link);
      const { addressA: address, addressB: gateway, device } = link;
      const table = 100 + i;
      node.ip(
        `rule add from ${address} lookup ${table}`,
        `route add default via ${gateway} dev ${device} table ${table}`,
        ...(i === 0 ? [`route add default via ${gateway} dev ${device}`] : []),
      );
      routes.push({ address, hub });
      ends.push({ name: hub, address });
    }
    relaxed(node);
    const cable = isEdge ? network.cable(node, redis).addressB : "";
    return { lines: ends, redis: cable, spawn: (command) => node.spawn(command, "ignore") };
  };

  for (const name of EDGES) edges.set(name, await connect(name, LINES[name], true));
  const publisher = await connect("publisher", [HOMES.publisher], false);
  const viewers = await connect("viewers", [HOMES.viewers], false);
  const peering = await joinHubs(network, nodeOf, routes);
  redis.ip("link set dev lo up");
  return {
    edges,
    publisher,
    viewers,
    redis: { lines: [], redis: "", spawn: (command) => redis.spawn(command, "ignore") },
    missing: undefined,
    cut: (isCut) => peering.set(isCut ? { ...PEERING, loss: 1 } : PEERING),
    async lateMsMax() {
      return Math.max(...(await Promise.all(dear.map((link) => link.lateMsMax()))));
    },
    async dearBytes() {
      let bytes = 0;
      for (const link of dear) bytes += (await link.figures()).forward.bytesIn;
      return bytes;
    },
    close: () => network.close(),
  };
}

/** Every hub reaches every other one directly; gives the link between the two ISPs. */
async function joinHubs(
  network: WanNetwork,
  nodeOf: (hub: Hub) => WanNode,
  routes: readonly Route[],
): Promise<WanLink> {
  const pairs = [
    ["isp-a", "isp-b", PEERING],
    ["isp-a", "bgp", DEAR],
    ["isp-b", "bgp", DEAR],
  ] as const;
  const links: WanLink[] = [];
  for (const [a, b, profile] of pairs) {
    const link = await network.link(nodeOf(a), nodeOf(b), profile, { seed: 5 + links.length });
    links.push(link);
    const via = (hub: Hub, gateway: string) =>
      routes
        .filter((route) => route.hub === hub)
        .map(({ address }) => `route add ${address} via ${gateway} dev ${link.device}`);
    nodeOf(a).ip(...via(b, link.addressB));
    nodeOf(b).ip(...via(a, link.addressA));
  }
  for (const hub of HUBS) relaxed(nodeOf(hub));
  return links[0] as WanLink;
}

/** Passes packets on, and takes them by whatever device they come. */
function relaxed(node: WanNode): void {
  const set = "for f in all default; do echo 0 > /proc/sys/net/ipv4/conf/$f/rp_filter; done";
  const forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
  Bun.spawnSync(node.command(["sh", "-c", `${set}; ${forward}`]), { stderr: "ignore" });
}

/* ------------------------------------------------------------------ on loopback */

/** Linux answers for all of 127.0.0.0/8. */
export function openLoopback(missing: string): Places {
  const spawn = (command: readonly string[]): Program =>
    Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "ignore" });
  const place = (lines: readonly Line[]): Place => ({ lines, redis: "127.0.0.1", spawn });
  const lineOf = (edge: number) => (name: Hub) => {
    return { name, address: `127.78.${HUBS.indexOf(name)}.${edge + 1}` };
  };
  return {
    edges: new Map(EDGES.map((name, i) => [name, place(LINES[name].map(lineOf(i)))])),
    publisher: place([]),
    viewers: place([]),
    redis: place([]),
    missing,
    cut: async () => undefined,
    lateMsMax: async () => Number.NaN,
    dearBytes: async () => Number.NaN,
    close: async () => undefined,
  };
}
