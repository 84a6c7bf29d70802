/**
 * What `shoal watch` tells people: how to open the picture, what leaves this machine, and the live
 * figures.
 */
import { formatBytes } from "../runtime/media/page/figures.ts";
import { isLoopback } from "./arguments.ts";
import type { WatchOptions } from "./watch.ts";
import type { WatchStats } from "./watched-peer.ts";

export type UploadFacts = Pick<WatchOptions, "uploadBytesPerSecondMax" | "metered">;

export interface StartFacts extends UploadFacts, Pick<WatchOptions, "url"> {
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
    ...uploadLines(facts),
    ...(isLoopback(listenHost)
      ? []
      : [
          `Note: listening on ${listenHost}: whoever reaches this machine can watch, not only you.`,
        ]),
    "Ctrl-C ends it.",
  ];
}

/** Who gets what from this machine, and who learns its address. */
export function uploadLines({ uploadBytesPerSecondMax, metered }: UploadFacts): string[] {
  const seen = "  The edge and the viewers you exchange media with see your address.";
  if (uploadBytesPerSecondMax === 0) {
    const why = metered ? "--metered" : "--consume-only";
    return [`Upload: none (${why}); you watch, and other viewers feed you.`, seen];
  }
  const cap = Number.isFinite(uploadBytesPerSecondMax)
    ? `at most ${formatBits(uploadBytesPerSecondMax * 8)}/s (--upload-max)`
    : "what your line can spare (limit it with --upload-max 2M)";
  return [
    `Upload: while you watch, your machine feeds other viewers with ${cap}.`,
    `${seen} --consume-only uploads nothing.`,
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
    `up ${formatBytes(stats.uploadedBytes)} to ${stats.children}`,
    `from the edge ${(stats.edgeShare * 100).toFixed(0)} %`,
  ];
  return parts.join(" · ");
}

function formatBits(bitsPerSecond: number): string {
  if (bitsPerSecond >= 1e6) return `${Number((bitsPerSecond / 1e6).toFixed(2))} Mbit`;
  return `${Math.round(bitsPerSecond / 1e3)} kbit`;
}
