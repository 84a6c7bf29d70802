/** Who feeds whom, as one peer sees it: the edge and its parents above it, its children below, neighbours beside it. */
import { bitCount } from "../../base/bits.ts";
import type { Session } from "../../core/session/session.ts";
import { addressKey } from "../../wire/address.ts";
import type { PeerFeed } from "../api.ts";
import type { PeerSwarm } from "./peer-swarm.ts";

/** Feeds named at most; a super node may have hundreds of children. */
export const FEEDS_MAX = 64;

export function peerFeeds(swarm: PeerSwarm, edge: Session | undefined): PeerFeed[] {
  const { subStreams } = swarm.params;
  const feeds: PeerFeed[] = [];
  if (edge !== undefined) {
    feeds.push(feedOf(edge, "edge", subStreams - bitCount(swarm.parents.heldMask)));
  }
  const others: PeerFeed[] = [];
  for (const { key, session } of swarm.neighbours.list) {
    const fed = bitCount(swarm.parents.maskOf(key));
    const pushed = bitCount(swarm.outlet.receivers.get(session)?.mask ?? 0);
    if (fed > 0) feeds.push(feedOf(session, "parent", fed));
    if (pushed > 0) others.push(feedOf(session, "child", pushed));
    if (fed === 0 && pushed === 0) others.push(feedOf(session, "neighbour", 0));
  }
  others.sort((a, b) => b.subStreams - a.subStreams);
  return [...feeds, ...others].slice(0, FEEDS_MAX);
}

function feedOf(session: Session, role: PeerFeed["role"], subStreams: number): PeerFeed {
  const { bytesIn, bytesOut } = session;
  const address = addressKey(session.address);
  return {
    role,
    address,
    agent: session.agent,
    subStreams,
    rttMs: session.srttMs(),
    bytesIn,
    bytesOut,
  };
}
