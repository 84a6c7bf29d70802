/** The edge on a real socket: the run loop of runtime/io, as the `EdgeHost` that HTTP and RTMP work with. */
import { bindUdp, type SendBy } from "../runtime/io/bind-udp.ts";
import { systemClock } from "../runtime/io/clock.ts";
import { runNode } from "../runtime/io/driver.ts";
import { systemRandom } from "../runtime/io/entropy.ts";
import type { UdpSocket } from "../runtime/io/udp.ts";
import type { EdgeEvent } from "../runtime/node/api.ts";
import type { ClusterHooks } from "../runtime/node/cluster-api.ts";
import { Edge } from "../runtime/node/edge/edge.ts";
import type { MeshOptions } from "../runtime/node/mesh/mesh-api.ts";
import { createSwarmParams } from "../runtime/node/swarm-params.ts";
import { createHotPath } from "../runtime/wasm/create.ts";
import type { ClusterEdge, ClusterHost } from "./cluster/cluster.ts";
import type { ClusterConfig } from "./config/cluster-config.ts";
import type { EdgeConfig } from "./config/load.ts";
import type { EdgeHost } from "./host.ts";
import { Regions } from "./regions.ts";
import { formatAddress, StartError } from "./start-error.ts";

export interface UdpLoopOptions {
  readonly config: EdgeConfig;
  readonly keyOf: (stream: string) => string | undefined;
  /** Viewers over UDP that a stream may have at present, if that is limited. */
  readonly maxViewersOf: (stream: string) => number | undefined;
  /** Says what it is to the other side, e.g. `shoal-edge/0.1.0`. */
  readonly agent: string;
  /** The other edges' part in who gets in; with `config.cluster` only. */
  readonly hooks?: ClusterHooks | undefined;
  readonly onEvent: (event: EdgeEvent) => void;
  readonly onError: (error: unknown) => void;
}

export interface UdpLoop extends Omit<EdgeHost, "edge" | "command">, ClusterHost {
  readonly edge: ClusterEdge;
  /** Where it is bound, `HOST:PORT`. */
  readonly address: string;
  /** Sends what the edge still has to say and closes the socket. */
  stop(): void;
}

/** No room is ever large enough for viewers to feed each other. */
const NO_SWARM = createSwarmParams({ smallRoom: Number.POSITIVE_INFINITY });

/** @throws StartError when the address cannot be had. */
export async function startUdpLoop(options: UdpLoopOptions): Promise<UdpLoop> {
  const { config } = options;
  const udp = await bindUdp(config.udp).catch((error: unknown) => {
    throw StartError.listen("UDP", config.udp.host, config.udp.port, "udp", error);
  });
  const moreLines = await bindLines(config.cluster, udp, config.udp.sendBy);
  const hot = await createHotPath({
    kind: config.buffer.hotPath,
    memoryMiB: config.buffer.memoryMib,
  });
  const regions = new Regions(config.regions);
  const bootEpoch = Math.floor((Date.now() - systemClock.now()) / 1000) >>> 0;
  const edge = new Edge(
    { hot, random: systemRandom, bootEpoch },
    {
      keyOf: options.keyOf,
      maxViewers: config.limits.maxViewers,
      maxPublishers: config.limits.maxPublishers,
      maxViewersOf: options.maxViewersOf,
      maxEgressBps: egressCap(config.limits.maxEgressMbps),
      retainMs: config.buffer.retainMs,
      groupMsMax: config.buffer.groupMsMax,
      agent: options.agent,
      regionOf: (ip) => regions.regionOf(ip),
      ...(config.swarm.enabled ? {} : { swarm: NO_SWARM }),
      ...(options.hooks === undefined ? {} : { cluster: options.hooks }),
      ...meshOf(config.cluster),
    },
  );
  const { onEvent, onError } = options;
  const loop = runNode<EdgeEvent>({
    node: edge,
    udp,
    moreLines,
    clock: systemClock,
    hot,
    onEvent,
    onError,
  });
  return {
    edge,
    address: formatAddress(config.udp.host, udp.localAddress.port),
    now: () => systemClock.now(),
    sockets: () =>
      [udp, ...moreLines].map(({ sendsBy, counters: { datagramsDropped } }) => {
        return { sendsBy, datagramsDropped };
      }),
    command(action) {
      const result = action(edge, systemClock.now());
      loop.wake();
      return result;
    },
    stop: () => loop.stop(),
  };
}

/** bit/s, or undefined where there is no limit. */
function egressCap(mbps: number): number | undefined {
  return mbps === 0 ? undefined : mbps * 1_000_000;
}

/** Sockets of the lines beside that of [udp]; those already bound are closed again when one cannot be had. */
async function bindLines(
  cluster: ClusterConfig | undefined,
  udp: UdpSocket,
  sendBy: SendBy,
): Promise<UdpSocket[]> {
  const sockets: UdpSocket[] = [];
  for (const { lineId, bind } of cluster?.lines ?? []) {
    if (bind === undefined) continue;
    try {
      sockets.push(await bindUdp({ ...bind, sendBy }));
    } catch (error) {
      for (const socket of [udp, ...sockets]) socket.close();
      throw StartError.listen("UDP", bind.host, bind.port, `lines.${lineId}`, error);
    }
  }
  return sockets;
}

function meshOf(cluster: ClusterConfig | undefined): { readonly mesh?: MeshOptions } {
  if (cluster === undefined) return {};
  const { id: edgeId, secret, lines, paths } = cluster;
  return { mesh: { edgeId, secret, lines, paths: paths === "one" ? 1 : 0 } };
}
