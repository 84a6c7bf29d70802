/**
 * `shoal watch`: a peer for the stream, a local HTTP for players, and figures. It ends by a signal,
 * or when the edge says that asking again is of no use.
 */
import { systemClock } from "../runtime/io/clock.ts";
import type { PeerOptions } from "../runtime/node/api.ts";
import { createHotPath } from "../runtime/wasm/create.ts";
import { formatEdges, formatHostPort, type HttpListen, type ShoalUrl } from "./arguments.ts";
import { createHttpApp } from "./http-app.ts";
import { ListenError, serveHttp } from "./http-server.ts";
import { LinkLines, reasonText } from "./link-lines.ts";
import { LiveNames } from "./live-names.ts";
import { hotPathKind, resolveEdges } from "./node-birth.ts";
import { createCpuShare } from "./own-machine.ts";
import { type Ending, EXIT_FAILED } from "./run-command.ts";
import type { Terminal } from "./terminal.ts";
import { liveLine, startLines } from "./watch-lines.ts";
import { type PeerListener, WatchedPeer, type WatchStats } from "./watched-peer.ts";
import { WatchedStreams } from "./watched-streams.ts";

export interface WatchOptions {
  readonly url: ShoalUrl;
  /** undefined = the usual port, or any free one. */
  readonly http: HttpListen | undefined;
  readonly targetMs: number;
  readonly strict: boolean;
  /** bytes/s, Infinity = no cap, 0 = consume only. */
  readonly uploadBytesPerSecondMax: number;
  /** The connection is paid by volume: nothing is uploaded. */
  readonly metered: boolean;
  /** Web page of the edge, to offer its live streams on the player page. */
  readonly edgePage: string | undefined;
  readonly agent: string;
}

/** The local HTTP's usual port. */
export const DEFAULT_HTTP_PORT = 8088;
const TARGET_MS_MIN = 300;
const TARGET_MS_MAX = 1_500;
/**
 * Memory for received media, MiB: some seconds of several streams; only what is used is really
 * taken.
 */
const MEMORY_MIB = 64;
const FIGURES_MS = 1_000;

/**
 * Runs until `ending`; gives the exit code. @throws StartError, ListenError with the one line to
 * print.
 */
export async function watch(
  options: WatchOptions,
  terminal: Terminal,
  ending: Ending,
): Promise<number> {
  const { url } = options;
  const edge = formatEdges(url);
  const edges = await resolveEdges(url.edges);
  const hot = createHotPath({ kind: hotPathKind(), memoryMiB: MEMORY_MIB });
  const link = new LinkLines(edge, systemClock.now(), (line) => terminal.line(line));
  const common = { ...peerOptions(options), edges };
  const start = (stream: string): WatchedPeer => {
    const toLink = stream === url.stream ? link : undefined;
    const listener = peerListener(stream, { edge, link: toLink, terminal, ending });
    return new WatchedPeer(hot, { ...common, stream }, listener);
  };
  const streams = new WatchedStreams({
    defaultStream: url.stream,
    start,
    liveNames: new LiveNames(options.edgePage).read,
    nowMs: () => systemClock.now(),
  });
  const app = createHttpApp({ listenHost: options.http?.host ?? "127.0.0.1", streams });
  const server = await listen(app, options.http).catch((error: unknown) => {
    streams.close();
    throw error;
  });
  const host = options.http?.host ?? "127.0.0.1";
  const pageHost = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  const pageUrl = `http://${formatHostPort(pageHost, server.port)}/`;
  for (const line of startLines({ ...options, edge, pageUrl, listenHost: host }))
    terminal.line(line);
  const figures = setInterval(() => {
    const stats = (streams.find(url.stream) as WatchedPeer).stats();
    streams.handleTimeout();
    link.handleTimeout(systemClock.now());
    terminal.live(liveLine(stats));
    terminal.figures(jsonLine(stats, pageUrl));
  }, FIGURES_MS);
  const code = await ending.reached;
  clearInterval(figures);
  streams.close();
  server.close();
  return code;
}

interface PeerReport {
  /** `HOST:PORT` */
  readonly edge: string;
  /**
   * Of the stream the program was started for; what happens to others is told to their players
   * alone.
   */
  readonly link: LinkLines | undefined;
  readonly terminal: Terminal;
  readonly ending: Ending;
}

function peerListener(stream: string, { edge, link, terminal, ending }: PeerReport): PeerListener {
  return {
    link(event) {
      if (event.type === "connected" || !event.final) return link?.handle(event, systemClock.now());
      if (link) ending.end(EXIT_FAILED, `${edge} refuses: ${reasonText(event)}`);
    },
    ended: () => terminal.line(`${stream} has ended; waiting for it to begin again`),
    failed: (why) => (link ? ending.end(EXIT_FAILED, why) : terminal.error(`${stream}: ${why}`)),
    trouble: (error) => terminal.error(`${stream}: ${String(error)}`),
  };
}

function peerOptions(options: WatchOptions): Omit<PeerOptions, "edges" | "stream"> {
  const { targetMs, strict, metered, uploadBytesPerSecondMax, agent } = options;
  return {
    targetMs,
    targetMsMin: Math.min(TARGET_MS_MIN, targetMs),
    targetMsMax: Math.max(TARGET_MS_MAX, targetMs),
    strict,
    uploadBytesPerSecondMax,
    metered,
    cpuShare: createCpuShare(),
    agent,
  };
}

/** On the address asked for; without one on the usual port, or any free one when that is taken. */
async function listen(app: Parameters<typeof serveHttp>[0], asked: HttpListen | undefined) {
  if (asked) return serveHttp(app, asked);
  try {
    return await serveHttp(app, { host: "127.0.0.1", port: DEFAULT_HTTP_PORT });
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    return serveHttp(app, { host: "127.0.0.1", port: 0 });
  }
}

function jsonLine(stats: WatchStats, pageUrl: string): object {
  return { time: new Date().toISOString(), http: pageUrl, ...stats };
}
