/**
 * What must be true of every run, whatever its figures: held against the world, not against what
 * nodes say. Each looks at the simulation from outside and gives one line.
 */

import { HostRole, ROLES } from "../network/host-role.ts";
import type { Link } from "../network/link.ts";
import type { Report } from "../report/report.ts";
import { LEAD_MS, type Simulation } from "../scenario/simulation.ts";

type Verdict = Report["checks"][number];

/** Nobody may be without a frame for longer while the edge and the publisher are up, ms. */
const SILENCE_MS_MAX = 10_000;
/**
 * What a node may keep: the edge its retention and a group of 12 s, all others share those bytes.
 */
const KEPT_MS = 20_000;
/** A viewer: three seconds and the current group, which may be 12 s. */
const KEPT_BY_PEER_MS = 15_000;
const KEPT_SLACK_BYTES = 4 << 20;
/** After everybody has gone the network must be silent within this. */
export const QUIET_MS = 10_000;

/** Frames played are those published: the same bytes, in order, after their configurations. */
export function checkContinuity({ watchers }: Simulation): Verdict {
  const bad = watchers.filter(({ meter }) => meter.faultCount > 0);
  const count = bad.reduce((sum, { meter }) => sum + meter.faultCount, 0);
  const played = watchers.reduce((sum, { meter }) => sum + meter.framesPlayed, 0);
  const [first] = bad;
  const example =
    first === undefined ? "" : `: viewer ${first.viewer.number} ${first.meter.faults[0]}`;
  const detail = `${played} frames played, ${count} faults at ${bad.length} viewers${example}`;
  return { name: "continuity", ok: count === 0, detail };
}

/** Whoever stays gets something to see, and goes on getting it. */
export function checkNoStarvation({ watchers, scenario, tallies }: Simulation): Verdict {
  const isDisturbed = scenario.faults.some(
    ({ kind }) => kind === "edgeDown" || kind === "publisherDown",
  );
  const silent = watchers.filter(({ meter }) => meter.gapMsMax > SILENCE_MS_MAX);
  const { viewersNeverStarted } = tallies.whole;
  const detail =
    `${viewersNeverStarted} never started, ` +
    `${silent.length} without a frame for ${SILENCE_MS_MAX / 1000} s`;
  const ok = viewersNeverStarted === 0 && (silent.length === 0 || isDisturbed);
  return { name: "no starvation", ok, detail };
}

/**
 * Every packet offered to a link was passed, lost, dropped or swallowed; and none is counted twice.
 */
export function checkConservation({ world, watchers, edge, publisher }: Simulation): Verdict {
  const { network } = world;
  const links = [...watchers.map(({ node }) => node), edge, publisher].flatMap(({ host }) => [
    host.up,
    host.down,
  ]);
  const wrong = links.filter((link) => !isBalanced(link)).length;
  const edgeOut = edge.host.bytesOut;
  const byRoles = network.bytesByRoles
    .slice(HostRole.edge * ROLES, HostRole.edge * ROLES + ROLES)
    .reduce((a, b) => a + b, 0);
  /* What the edge sends to addresses that nobody has is in its own count alone. */
  const ok = wrong === 0 && byRoles <= edgeOut && edgeOut - byRoles < Math.max(1e6, edgeOut * 0.01);
  return {
    name: "conservation",
    ok,
    detail: `${links.length} links, ${wrong} unbalanced; edge sent ${edgeOut} B, ${byRoles} B of it to known hosts`,
  };
}

function isBalanced({ counters }: Link): boolean {
  const { packetsOffered, packetsPassed, packetsLost, packetsDropped, packetsOut } = counters;
  return packetsOffered === packetsPassed + packetsLost + packetsDropped + packetsOut;
}

/**
 * Payload memory is bounded by time, not by how long the run lasts; what all nodes share is there once, but small
 * fragments that came in one datagram are each receiver's own.
 */
export function checkMemory(
  { published, scenario, watchers }: Simulation,
  bytesMax: number,
): Verdict {
  const durationMs = scenario.seconds * 1000;
  const shared = (published.bytes / durationMs) * KEPT_MS * 1.25;
  const own = (published.audioBytes / durationMs) * KEPT_BY_PEER_MS * watchers.length;
  const bound = Math.round(shared + own + KEPT_SLACK_BYTES);
  return {
    name: "bounded memory",
    ok: bytesMax <= bound,
    detail: `payloads took ${bytesMax} B at most (≤ ${bound})`,
  };
}

/** No viewer holds more neighbours than the swarm allows. */
export function checkNeighbours(neighboursMax: number, bound: number): Verdict {
  return {
    name: "bounded neighbours",
    ok: neighboursMax <= bound,
    detail: `${neighboursMax} at most (≤ ${bound})`,
  };
}

/** Share of feeds that may be seen by way of two peers, as trees are while they are rebuilt. */
const TOO_DEEP_SHARE_MAX = 0.005;

/** Pushes go edge → super node → viewer, no further. */
export function checkLayers(feeds: number, tooDeep: number): Verdict {
  return {
    name: "two layers",
    ok: tooDeep <= feeds * TOO_DEEP_SHARE_MAX,
    detail: `${tooDeep} of ${feeds} feeds came by way of two peers`,
  };
}

/**
 * When all have left, nothing moves any more and nothing is kept. To be called `QUIET_MS` after
 * they went.
 */
export function checkQuiescence(simulation: Simulation, edgeBytesAtLeave: number): Verdict {
  const { world, hot, edge } = simulation;
  const inFlight = world.network.packetsInFlight;
  const kept = hot.payloadBytesUsed();
  const said = edge.host.bytesOut - edgeBytesAtLeave;
  return {
    name: "quiescence",
    ok: inFlight === 0 && kept === 0,
    detail: `${inFlight} packets in flight, ${kept} B of payload kept, edge sent ${said} B meanwhile`,
  };
}

/** Viewers join and leave at the times their scenario drew; a check on the simulator itself. */
export function checkAttendance({ watchers, world }: Simulation): Verdict {
  const late = watchers.filter(
    ({ viewer, meter, leftMs }) =>
      Math.abs(meter.joinMs - LEAD_MS - viewer.joinMs) > 1e-6 || leftMs > world.nowMs,
  );
  return {
    name: "attendance",
    ok: late.length === 0,
    detail: `${watchers.length} viewers came, ${late.length} not as planned`,
  };
}
