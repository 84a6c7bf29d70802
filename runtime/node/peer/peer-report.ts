/** What a peer tells its edge about itself, once a second (docs/WIRE.md §8, REPORT). */
import type { Ms } from "../../base/time.ts";
import type { NodeContext } from "../../core/session/node-context.ts";
import { loadOf } from "../../score/load.ts";
import type { ReportPacket } from "../../wire/swarm.ts";
import type { PeerOptions } from "../api.ts";
import type { Outlet } from "../edge/outlet.ts";
import type { SwarmParams } from "../swarm-params.ts";

export function peerReport(
  now: Ms,
  context: NodeContext,
  options: PeerOptions,
  params: SwarmParams,
  outlet: Outlet,
  backlogMs: number,
): ReportPacket {
  const { uplink } = context;
  const consumeOnly = options.uploadBytesPerSecondMax === 0;
  const metered = options.metered === true;
  /* What waits in the network and, since the Uplink paces, what waits here. */
  const queueMs = uplink.queueMs + backlogMs;
  const uploadBps = outlet.meter.bytesPerSecond(now) * 8;
  const cap = options.uploadBytesPerSecondMax * 8;
  const seen = uplink.isLimited ? uplink.rateBps : 0;
  const limitBps = Number.isFinite(cap) ? (seen > 0 ? Math.min(seen, cap) : cap) : seen;
  const children = new Array<number>(params.subStreams).fill(0);
  for (const receiver of outlet.receivers.values()) {
    for (let k = 0; k < params.subStreams; k++) {
      children[k] = (children[k] as number) + ((receiver.mask >>> k) & 1);
    }
  }
  const uploadShare = uploadBps / Math.max(1, limitBps > 0 ? limitBps : params.uplinkGuessBps);
  const load = loadOf({
    cpu: options.cpuShare?.() ?? 0,
    uploadShare,
    queueMs,
    limitKnown: seen > 0,
    natOpen: false,
    metered,
    consumeOnly,
    wireless: false,
  });
  return {
    limitBps,
    uploadBps,
    pushBps: outlet.pushMeter.bytesPerSecond(now) * 8,
    queueMs,
    cpu: options.cpuShare?.() ?? 0,
    consumeOnly,
    metered,
    congested: queueMs > params.congestedQueueMs,
    load,
    children,
  };
}
