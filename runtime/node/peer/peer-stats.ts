/** A peer's figures, put together from its session, its playback and what earlier runs of the encoder added up to. */
import type { Ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import type { PeerOptions, PeerStats } from "../api.ts";
import { linkStats } from "../link-stats.ts";
import { peerFeeds } from "./peer-feeds.ts";
import type { PeerSwarm } from "./peer-swarm.ts";
import type { Playback } from "./playback.ts";

export interface PeerStatsSources {
  readonly options: PeerOptions;
  readonly session: Session | undefined;
  readonly playback: Playback | undefined;
  readonly total: {
    readonly played: number;
    readonly skipped: number;
    readonly damaged: number;
    readonly stalledMs: number;
  };
  readonly swarm: PeerSwarm;
  readonly firstFrameMs: number;
  /** Of datagrams from anybody. */
  readonly bytesIn: number;
  readonly isClosed: boolean;
}

export function peerStats(now: Ms, from: PeerStatsSources): PeerStats {
  const { options, session, playback, total, swarm } = from;
  const buffer = playback?.buffer;
  const intake = playback?.intake;
  return {
    stream: options.stream,
    state: stateOf(from),
    epoch: intake?.stream.epoch ?? 0,
    framesPlayed: total.played + (buffer?.framesPlayed ?? 0),
    framesSkipped: total.skipped + (buffer?.framesSkipped ?? 0),
    framesDamaged: total.damaged + (buffer?.framesDamaged ?? 0),
    stalledMs: total.stalledMs + (buffer?.stalledMs(now) ?? 0),
    delayMs: buffer?.delayMs ?? 0,
    delayUncertaintyMs: intake?.clock.ready === true ? intake.clock.uncertaintyMs(now) : 0,
    firstFrameMs: from.firstFrameMs,
    phaseShare: phaseShare(intake?.bytesByPhase ?? []),
    edgeShare: edgeShare(swarm),
    uploadedBytes: swarm.outlet.bytesOut,
    downloadedBytes: from.bytesIn,
    bitrateKbps: ((playback?.meter.bytesPerSecond(now) ?? 0) * 8) / 1000,
    lossRate: session?.lossRate() ?? 0,
    repairedFragments: intake?.repaired ?? 0,
    duplicateFragments: intake?.duplicates ?? 0,
    neighbours: swarm.neighbours.meshed,
    superNode: swarm.isSuperNode,
    children: swarm.childCount,
    parents: swarm.parents.count,
    subStreams: swarm.params.subStreams,
    feeds: peerFeeds(swarm, session),
    buffer: {
      targetMs: buffer?.targetMs ?? options.targetMs,
      pullFromMs: buffer?.pullFromMs ?? 0,
      compensateFromMs: buffer?.compensateFromMs ?? 0,
      fillMs: buffer?.fillMs(now) ?? 0,
      holes: buffer?.holeCount() ?? 0,
    },
    edge: session === undefined ? null : linkStats(now, session),
  };
}

function stateOf(from: PeerStatsSources): PeerStats["state"] {
  if (from.isClosed) return "ended";
  if (from.session === undefined && from.playback === undefined) return "connecting";
  return from.playback?.buffer.isStarted === true ? "playing" : "waiting";
}

/** The start burst came as pushed, so it counts as that. */
function phaseShare(bytes: readonly number[]): PeerStats["phaseShare"] {
  const [pushed = 0, pull = 0, compensation = 0, start = 0] = bytes;
  const sum = pushed + pull + compensation + start;
  if (sum === 0) return { push: 0, pull: 0, compensation: 0 };
  return { push: (pushed + start) / sum, pull: pull / sum, compensation: compensation / sum };
}

function edgeShare({ bytesFromEdge, bytesFromPeers }: PeerSwarm): number {
  const sum = bytesFromEdge + bytesFromPeers;
  return sum === 0 ? 0 : bytesFromEdge / sum;
}
