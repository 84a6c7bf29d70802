/**
 * What `shoal watch` tells people: how to open the picture, what leaves this machine, and the live
 * figures.
 */
import { formatBytes } from "../runtime/media/page/figures.ts";
import { isLoopback } from "./arguments.ts";
import type { WatchOptions } from "./watch.ts";
import type { WatchStats } from "./watched-peer.ts";

export interface StartFacts extends Pick<WatchOptions, "url" | "uploadBytesPerSecondMax"> {
  /** `HOST:PORT` */
  readonly edge: string;
  readonly pageUrl: string;
  readonly listenHost: string;
}

export function startLines(facts: StartFacts): string[] {
  const { url, edge, pageUrl, listenHost } = facts;
  const flv = `${pageUrl}${url.stream}.flv`;
  return [
    `Watching ${url.stream} from ${edge}. Open it with any of:`,
    `  browser  ${pageUrl}`,
    `  mpv      mpv --profile=low-latency ${flv}`,
    `  ffplay   ffplay -fflags nobuffer -flags low_delay ${flv}`,
    `  VLC      vlc --network-caching=300 ${flv}`,
    ...uploadLines(facts.uploadBytesPerSecondMax),
    ...(isLoopback(listenHost)
      ? []
      : [
          `Note: listening on ${listenHost}: whoever reaches this machine can watch, not only you.`,
        ]),
    "Ctrl-C ends it.",
  ];
}

/** True of this version: the edge alone feeds viewers. */
export function uploadLines(bytesPerSecondMax: number): string[] {
  const now =
    "Upload: nothing goes to other viewers in this version; the edge alone feeds you and sees your address.";
  if (bytesPerSecondMax === 0) {
    return [now, "  --consume-only: it stays so when viewers begin to feed each other."];
  }
  const cap = Number.isFinite(bytesPerSecondMax)
    ? `at most ${formatBits(bytesPerSecondMax * 8)}/s (--upload-max)`
    : "what your line can spare (limit it with --upload-max 2M)";
  return [
    now,
    `  Once viewers feed each other, a peer uploads ${cap} to other viewers,`,
    "  who then see its address; --consume-only stops that.",
  ];
}

/** The figures in one line. */
export function liveLine(stats: WatchStats): string {
  const parts = [
    stats.state,
    `delay ${Math.round(stats.delayMs)} ms`,
    `${Math.round(stats.bitrateKbps)} kbit/s`,
    `loss ${(stats.lossRate * 100).toFixed(1)} %`,
    `repaired ${stats.repairedFragments}`,
    `skipped ${stats.framesSkipped}`,
    `players ${stats.readers}`,
    `in ${formatBytes(stats.downloadedBytes)}`,
    `up ${formatBytes(stats.uploadedBytes)}`,
  ];
  return parts.join(" · ");
}

function formatBits(bitsPerSecond: number): string {
  if (bitsPerSecond >= 1e6) return `${Number((bitsPerSecond / 1e6).toFixed(2))} Mbit`;
  return `${Math.round(bitsPerSecond / 1e3)} kbit`;
}
