/**
 * The figures beside the picture: what `/api/stats` says each second, written into the page. Where
 * the page is served by an edge there is no peer and no such address; then only what the page
 * measures itself is shown.
 */
import { drawFeeds, type Feed, layOutFeeds } from "./feeds.ts";

/** What the page reads of `/api/stats`; the rest of it is for programs. */
export interface PageStats {
  readonly stream: string;
  readonly state: string;
  readonly delayMs: number;
  readonly delayUncertaintyMs: number;
  readonly bitrateKbps: number;
  readonly lossRate: number;
  readonly repairedFragments: number;
  readonly framesSkipped: number;
  readonly stalledMs: number;
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  readonly neighbours: number;
  readonly superNode: boolean;
  readonly children: number;
  readonly edgeShare: number;
  readonly subStreams: number;
  readonly feeds: readonly Feed[];
  readonly firstFrameMs: number;
  readonly phaseShare: {
    readonly push: number;
    readonly pull: number;
    readonly compensation: number;
  };
  readonly buffer: {
    readonly targetMs: number;
    readonly pullFromMs: number;
    readonly compensateFromMs: number;
    readonly fillMs: number;
    readonly holes: number;
  };
  readonly edge: { readonly address: string; readonly rttMs: number } | null;
}

/**
 * Widths in percent of the play buffer's zones, newest media first, and of the media ready ahead of
 * play.
 */
export function bufferZones(buffer: PageStats["buffer"]): {
  readonly push: number;
  readonly pull: number;
  readonly compensation: number;
  readonly fill: number;
} {
  const whole = Math.max(1, buffer.targetMs);
  const percent = (ms: number): number => Math.min(100, Math.max(0, (ms / whole) * 100));
  const push = percent(buffer.pullFromMs);
  const pull = Math.max(0, percent(buffer.compensateFromMs) - push);
  return { push, pull, compensation: 100 - push - pull, fill: percent(buffer.fillMs) };
}

/** `1.4 MB` and the like, decimal. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function element<E extends HTMLElement = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as E;
}

/** Writes one second's figures into the page. */
export function showStats(stats: PageStats): void {
  const text = (id: string, value: string): void => {
    element(id).textContent = value;
  };
  text("bitrate", Math.round(stats.bitrateKbps).toString());
  text("loss", (stats.lossRate * 100).toFixed(1));
  text("repaired", stats.repairedFragments.toString());
  text("skipped", stats.framesSkipped.toString());
  text("stalled", (stats.stalledMs / 1000).toFixed(1));
  text("uploaded", formatBytes(stats.uploadedBytes));
  element("bars").hidden = false;
  showBuffer(stats);
  showShares(stats);
  showFeeds(stats);
  text("details", details(stats));
}

function showBuffer(stats: PageStats): void {
  const bar = element("buffer");
  for (const [zone, percent] of Object.entries(bufferZones(stats.buffer)))
    width(bar, zone, percent);
  const { fillMs, targetMs, holes } = stats.buffer;
  const missing = holes > 0 ? `, ${holes} missing` : "";
  element("buffer-text").textContent =
    `${Math.round(fillMs)} of ${Math.round(targetMs)} ms${missing}`;
}

function showShares(stats: PageStats): void {
  const { push, pull, compensation } = stats.phaseShare;
  const bar = element("shares");
  width(bar, "push", push * 100);
  width(bar, "pull", pull * 100);
  width(bar, "compensation", compensation * 100);
  const percent = [push, pull, compensation].map((share) => `${(share * 100).toFixed(1)} %`);
  element("share-text").textContent = percent.join(" / ");
}

function showFeeds(stats: PageStats): void {
  const { feeds, subStreams, edgeShare, children } = stats;
  const drawing = layOutFeeds(feeds, subStreams);
  const svg = document.querySelector<SVGSVGElement>("#feeds");
  if (svg) drawFeeds(svg, drawing);
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  element("feeds-text").textContent =
    `${percent(edgeShare)} from the edge, ${percent(1 - edgeShare)} from viewers, ` +
    `${children} fed by you`;
}

function width(bar: HTMLElement, zone: string, percent: number): void {
  const part = bar.querySelector<HTMLElement>(`.${zone}`);
  if (part) part.style.width = `${percent}%`;
}

function details(stats: PageStats): string {
  const edge = stats.edge
    ? `edge ${stats.edge.address}, round trip ${stats.edge.rttMs.toFixed(1)} ms`
    : "no edge reached";
  const clock = `this peer's play-out ${Math.round(stats.delayMs)} ms after capture`;
  return [
    edge,
    `${clock} (± ${Math.round(stats.delayUncertaintyMs)} ms)`,
    `first frame after ${Math.round(stats.firstFrameMs)} ms`,
    `received ${formatBytes(stats.downloadedBytes)}`,
    `${stats.neighbours} neighbours`,
    ...(stats.superNode ? ["feeding others as a super node"] : []),
  ].join(" · ");
}
