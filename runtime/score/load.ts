/**
 * The load of oneself, 0 (idle, give me children) to 1 (no more): what a peer reports when it recommends itself. The
 * fullest resource rules, since a node with an idle CPU and a full uplink is full; what makes its figures doubtful (an
 * uplink never seen at its limit, wireless, a NAT that few can reach) leaves it a part of the room only.
 */

export interface LoadFeatures {
  /** Share of one core in use, 0..1. */
  cpu: number;
  /** Uplink in use / estimated uplink, 0..1. */
  uploadShare: number;
  /** Queueing delay of the own uplink, ms. */
  queueMs: number;
  /** Whether the estimate of the uplink has been seen as a limit, not only as a floor. */
  limitKnown: boolean;
  /** Whether anybody can reach us (no NAT, or a full cone). */
  natOpen: boolean;
  metered: boolean;
  consumeOnly: boolean;
  /** Wifi or cellular. */
  wireless: boolean;
}

/** Above this queueing delay a super node is congested (`congestedQueueMs` of the swarm's parameters), ms. */
const QUEUE_FULL_MS = 120;

/** Share of the room left that a doubtful figure leaves. */
const ROOM_LIMIT_UNKNOWN = 0.8;
const ROOM_WIRELESS = 0.7;
const ROOM_NAT_CLOSED = 0.9;

/** 0..1; 1 for who must not or will not upload. */
export function loadOf(features: LoadFeatures): number {
  if (features.consumeOnly || features.metered) return 1;
  const fullest = Math.max(features.cpu, features.uploadShare, features.queueMs / QUEUE_FULL_MS);
  let room = 1 - Math.min(1, Math.max(0, fullest));
  if (!features.limitKnown) room *= ROOM_LIMIT_UNKNOWN;
  if (features.wireless) room *= ROOM_WIRELESS;
  if (!features.natOpen) room *= ROOM_NAT_CLOSED;
  return 1 - room;
}
