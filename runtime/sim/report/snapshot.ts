/**
 * Counters of the whole network at one moment; figures of a span are the difference of two. Only
 * what the world sees, no node's word.
 */
import { HostRole, ROLES } from "../network/host-role.ts";
import { PHASES } from "../network/network.ts";
import type { Simulation } from "../scenario/simulation.ts";

/** Phases of the wire's flags. */
const Phase = { push: 0, pull: 1, compensation: 2, start: 3 } as const;

export interface Snapshot {
  readonly atMs: number;
  /** IP bytes offered by edges to peers, everything included. */
  readonly edgeToPeers: number;
  readonly peerControlBytes: number;
  readonly pushed: number;
  readonly pulled: number;
  readonly compensated: number;
  readonly started: number;
  /** Bytes of all frames published. */
  readonly publishedBytes: number;
  /** Viewers × ms they have been present. */
  readonly presentMs: number;
  /** IP bytes that each present or past viewer has offered, by host id. */
  readonly uploads: ReadonlyMap<number, number>;
}

/** What only the simulator sees besides. */
export interface WorldSnapshot extends Snapshot {
  /** `peerControlBytes` by kind of packet: network/control-bytes.ts. */
  readonly controlByKind: ReadonlyMap<string, number>;
}

export function takeSnapshot(simulation: Simulation): WorldSnapshot {
  const { network, nowMs } = simulation.world;
  let peerControlBytes = 0;
  let presentMs = 0;
  const uploads = new Map<number, number>();
  for (const { node, meter, leftMs } of simulation.watchers) {
    const { host } = node;
    peerControlBytes += host.controlBytesIn + host.controlBytesOut;
    presentMs += Math.min(leftMs, nowMs) - meter.joinMs;
    uploads.set(host.id, host.bytesOut);
  }
  const phase = (which: number): number => {
    let bytes = 0;
    for (let role = 0; role < ROLES; role++) {
      bytes += network.mediaBytesToPeers[role * PHASES + which] ?? 0;
    }
    return bytes;
  };
  return {
    atMs: nowMs,
    edgeToPeers: network.bytesByRoles[HostRole.edge * ROLES + HostRole.peer] ?? 0,
    peerControlBytes,
    controlByKind: network.controlBytes.snapshot(),
    pushed: phase(Phase.push),
    pulled: phase(Phase.pull),
    compensated: phase(Phase.compensation),
    started: phase(Phase.start),
    publishedBytes: simulation.published.bytes,
    presentMs,
    uploads,
  };
}
