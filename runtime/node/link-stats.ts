/** A session's figures as its owner shows them. */
import type { Ms } from "../base/time.ts";
import type { Session } from "../core/session/session.ts";
import { addressKey } from "../wire/address.ts";
import type { LinkStats } from "./api.ts";

export function linkStats(now: Ms, session: Session): LinkStats {
  const { bytesIn, bytesOut, packetsLost, packetsResent } = session;
  return {
    address: addressKey(session.address),
    agent: session.agent,
    sinceMs: now - session.since,
    rttMs: session.srttMs(),
    lossRate: session.lossRate(),
    bytesIn,
    bytesOut,
    packetsLost,
    packetsResent,
    rateBps: session.queue.rateBps,
    queuedBytes: session.queue.queuedBytes,
  };
}
