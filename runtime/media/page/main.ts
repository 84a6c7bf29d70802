/**
 * The player page: picks the stream, keeps the player going and shows the figures. The stream is
 * `?stream=live/NAME`, or the one the serving program names in `/api/streams`; in the latter case
 * the page also goes over to a stream that starts while it is open, and back when that ends.
 */
import { DelayChart } from "./delay-chart.ts";
import { element, type PageStats, showStats } from "./figures.ts";
import { LivePlayer } from "./live-player.ts";
import type { PageFigures } from "./page-figures.ts";

/** `/api/streams` of the serving program. */
interface StreamList {
  readonly default: string;
  readonly streams: readonly string[];
}

const REFRESH_MS = 1_000;
/** A stream's name must look like this before it is put into an address. */
const STREAM_NAME = /^live\/[\w.~-]{1,100}$/;

const video = element<HTMLVideoElement>("video");
const chart = new DelayChart(element<HTMLCanvasElement>("chart"));
const chosen = new URLSearchParams(location.search).get("stream");
const figures: PageFigures = {
  stream: "",
  state: "connecting",
  delayMs: null,
  delayMeasured: false,
  delayMsMax: null,
  framesDecoded: 0,
  recreated: 0,
  stalls: 0,
  stats: null,
};
window.shoalStats = figures;

/** Delays of the frames shown since the last refresh, ms. */
let recentDelays: number[] = [];
let known: readonly string[] | undefined;

const player = new LivePlayer(video, {
  state(state, detail) {
    if (state === figures.state && detail === "") return;
    figures.state = state;
    const label = element("state");
    label.dataset["state"] = state;
    label.textContent = state === "waiting" ? "waiting for the stream" : state;
    const notice = element("notice");
    notice.hidden = state !== "waiting";
    notice.textContent = detail === "" ? "" : `Waiting for the stream (${detail})`;
  },
  delay(delayMs) {
    recentDelays.push(delayMs);
  },
});

function show(stream: string): void {
  if (stream === figures.stream) return;
  figures.stream = stream;
  figures.delayMs = null;
  figures.delayMsMax = null;
  figures.stats = null;
  recentDelays = [];
  chart.clear();
  document.title = `${stream} – Shoal`;
  player.show(stream);
}

async function fetchJson<T>(path: string): Promise<T | undefined> {
  try {
    const response = await fetch(path, { signal: AbortSignal.timeout(REFRESH_MS * 2) });
    return response.ok ? ((await response.json()) as T) : undefined;
  } catch {
    return undefined; /* the program is away for a moment: the next refresh asks again */
  }
}

async function refreshStreams(): Promise<void> {
  const list = await fetchJson<StreamList>("/api/streams");
  if (!list) {
    if (figures.stream === "" && chosen && STREAM_NAME.test(chosen)) show(chosen);
    return;
  }
  const names = [...new Set([list.default, ...list.streams])].filter((name) =>
    STREAM_NAME.test(name),
  );
  if (chosen && STREAM_NAME.test(chosen)) show(chosen);
  else {
    const started = known ? names.filter((name) => !known?.includes(name)) : [];
    if (started[0] !== undefined) show(started[0]);
    else if (!names.includes(figures.stream)) show(list.default);
  }
  known = names;
  showStreams([...new Set([...names, figures.stream])]);
}

function showStreams(names: readonly string[]): void {
  const nav = element("streams");
  const links = names.map((name) => {
    const link = document.createElement("a");
    link.href = `/?stream=${name}`;
    link.textContent = name;
    if (name === figures.stream) link.setAttribute("aria-current", "true");
    return link;
  });
  nav.replaceChildren(...links);
}

async function refreshStats(): Promise<void> {
  if (figures.stream === "") return;
  const asked = figures.stream;
  const stats = await fetchJson<PageStats>(`/api/stats?stream=${encodeURIComponent(asked)}`);
  if (asked !== figures.stream) return;
  figures.stats = stats ?? null;
  if (stats) showStats(stats);
}

function refreshDelay(): void {
  figures.framesDecoded = video.getVideoPlaybackQuality().totalVideoFrames;
  figures.recreated = player.recreated;
  figures.stalls = player.stalls;
  const delays = recentDelays.sort((a, b) => a - b);
  recentDelays = [];
  const median = delays[delays.length >> 1];
  const playing = figures.state === "playing";
  if (median !== undefined) {
    figures.delayMeasured = true;
    figures.delayMs = Math.round(median);
    const most = Math.round(delays[delays.length - 1] as number);
    figures.delayMsMax = Math.max(figures.delayMsMax ?? 0, most);
  } else if (playing && figures.stats && figures.stats.delayMs > 0) {
    figures.delayMeasured = false;
    figures.delayMs = Math.round(figures.stats.delayMs + player.bufferedAheadMs);
  }
  const shown = figures.delayMs !== null && playing;
  const approximate = shown && !figures.delayMeasured ? "≈ " : "";
  element("delay-ms").textContent = shown ? `${approximate}${figures.delayMs}` : "–";
  if (shown) chart.add(figures.delayMs as number);
}

async function refresh(): Promise<void> {
  await refreshStreams();
  await refreshStats();
  refreshDelay();
}

const unmute = element<HTMLButtonElement>("unmute");
unmute.addEventListener("click", () => {
  video.muted = !video.muted;
  unmute.textContent = video.muted ? "Sound on" : "Sound off";
  void video.play();
});

void refresh();
setInterval(() => void refresh(), REFRESH_MS);
