/** What `shoal publish` tells people while it runs. */
import { formatBytes } from "../runtime/media/page/figures.ts";
import type { PublisherStats } from "../runtime/node/api.ts";

/** The figures in one line. `bitrateKbps` is the input's. */
export function publishLiveLine(
  stats: PublisherStats,
  bitrateKbps: number,
  codecs: string,
): string {
  const { link } = stats;
  const parts = [
    link ? "live" : "not connected",
    `${Math.round(bitrateKbps)} kbit/s`,
    `frames ${stats.framesAccepted}`,
    `dropped ${stats.framesDropped}`,
    ...(link
      ? [
          `round trip ${link.rttMs.toFixed(1)} ms`,
          `loss ${(link.lossRate * 100).toFixed(1)} %`,
          `resent ${link.packetsResent}`,
          `out ${formatBytes(link.bytesOut)}`,
        ]
      : []),
    ...(codecs === "" ? [] : [codecs]),
  ];
  return parts.join(" · ");
}
