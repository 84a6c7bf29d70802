/**
 * One edge from its configuration: the UDP loop, the RTMP listener and both HTTP listeners. If one
 * can't be had, those already started are stopped again; at the end everyone hears goodbye.
 */
import type { Cluster } from "./cluster/cluster.ts";
import { clusterFacts } from "./cluster/cluster-facts.ts";
import { Drain } from "./cluster/drain.ts";
import { createCluster } from "./cluster/start-cluster.ts";
import type { EdgeConfig } from "./config/load.ts";
import { StreamKeys } from "./config/stream-keys.ts";
import { logEvent } from "./event-log.ts";
import { FlvFanout } from "./http/flv-fanout.ts";
import { type HttpListener, listenHttp } from "./http/listen.ts";
import { createMetrics } from "./http/metrics.ts";
import { createOperatorApp } from "./http/operator-app.ts";
import { createViewerApp } from "./http/viewer-app.ts";
import type { Logger } from "./log.ts";
import { type RtmpIngest, startRtmpIngest } from "./rtmp-ingest.ts";
import { startUdpLoop, type UdpLoop } from "./udp-loop.ts";

/** HTTP readers that take nothing are looked for this often. */
const SWEEP_MS = 1000;
/** Goodbyes and the ends of HTTP responses may take so long; with the rest a stop stays within 2 s. */
const GOODBYE_MS = 500;
/** Goodbyes to thousands of viewers may find the socket's buffer full; so long they are kept trying. */
const FLUSH_MS = 50;

export interface EdgeProgram {
  /** Where it listens: `HOST:PORT` for udp and rtmp, URLs for http and api; disabled ones absent. */
  readonly addresses: Addresses;
  /** Says goodbye to everyone and closes every listener. Calling it again gives the same end. */
  stop(): Promise<void>;
  /** Resolves when an operator has had the edge drained and nobody is left; then it is to be stopped. */
  readonly drained: Promise<"empty" | "timeout">;
}

/** @throws StartError when a listener cannot be had; whatever had been started is stopped again. */
export async function startEdge(
  config: EdgeConfig,
  log: Logger,
  version: string,
): Promise<EdgeProgram> {
  const parts = new Parts(log);
  try {
    await parts.start(config, version);
  } catch (error) {
    await parts.stop();
    throw error;
  }
  return parts;
}

type Addresses = { readonly [table in "udp" | "rtmp" | "http" | "api"]?: string };

class Parts implements EdgeProgram {
  readonly addresses: { -readonly [table in keyof Addresses]: string } = {};
  readonly #log: Logger;
  #state: "starting" | "ready" | "draining" | "stopping" = "starting";
  #loop: UdpLoop | undefined;
  #cluster: Cluster | undefined;
  #rtmp: RtmpIngest | undefined;
  #fanout: FlvFanout | undefined;
  readonly #http: HttpListener[] = [];
  #sweep: ReturnType<typeof setInterval> | undefined;
  #stopped: Promise<void> | undefined;
  #drain: Drain | undefined;
  readonly #drained = Promise.withResolvers<"empty" | "timeout">();
  readonly drained = this.#drained.promise;

  constructor(log: Logger) {
    this.#log = log;
  }

  async start(config: EdgeConfig, version: string): Promise<void> {
    const log = this.#log;
    const keys = new StreamKeys(config.streams);
    const cluster = createCluster(config, version, log);
    this.#cluster = cluster;
    const loop = await startUdpLoop({
      config,
      hooks: cluster?.hooks,
      keyOf: (stream) => keys.keyOf(stream),
      maxViewersOf: (stream) => {
        const limit = keys.ruleOf(stream)?.maxViewers;
        return limit && limit - (this.#fanout?.readersOf(stream).length ?? 0);
      },
      agent: `shoal-edge/${version}`,
      onEvent: (event) => {
        this.#fanout?.handleEvent(event);
        this.#rtmp?.handleEvent(event);
        cluster?.handleEvent(event);
        logEvent(log, event);
      },
      onError: (error) => log.error("internal error: {error}", { error }),
    });
    this.#loop = loop;
    this.#fanout = new FlvFanout(loop, {
      maxReaders: config.http.maxReaders,
      queueBytesMax: config.http.readerQueueKib * 1024,
      readerTimeoutMs: config.http.readerTimeoutMs,
      maxViewersOf: (stream) => keys.ruleOf(stream)?.maxViewers,
      knows: (stream) => cluster?.hooks.knows(stream) === true,
      onWatched: () => cluster?.handleWatched(),
    });
    this.#sweep = setInterval(() => this.#fanout?.sweep(), SWEEP_MS);
    this.#listens("udp", "UDP", loop.address);
    await cluster?.start(loop);
    if (config.rtmp.enabled) {
      this.#rtmp = await startRtmpIngest({ host: loop, keys, config: config.rtmp, log, cluster });
      this.#listens("rtmp", "RTMP", this.#rtmp.address);
    }
    if (config.http.enabled) this.#startViewers(config, this.#fanout, loop);
    if (config.api.enabled) this.#startOperators(config, version, this.#fanout, loop);
    for (const { pattern, open } of config.streams) {
      if (!open || (isLoopback(config.udp.host) && isLoopback(config.rtmp.host))) continue;
      log.warning("anyone may publish {pattern}: it is open", { event: "open", pattern });
    }
    this.#state = "ready";
    log.info("ready", { event: "ready", version });
  }

  #startViewers(config: EdgeConfig, fanout: FlvFanout, host: UdpLoop): void {
    const app = createViewerApp({
      host,
      fanout,
      draining: () => this.#state !== "ready",
      cluster: () => this.#cluster && clusterFacts(this.#cluster, Date.now()),
      onReader: (change, stream, from) => {
        const level = change === "cut" ? "warning" : "info";
        this.#log[level]("HTTP reader {from} of {stream}: {change}", {
          event: "reader",
          change,
          stream,
          from,
        });
      },
    });
    const listener = listenHttp(app, { ...config.http, table: "http" });
    this.#http.push(listener);
    this.#listens("http", "viewers' pages", listener.url);
  }

  #startOperators(config: EdgeConfig, version: string, fanout: FlvFanout, host: UdpLoop): void {
    const ready = () => this.#state === "ready";
    const cluster = this.#cluster;
    const facts = cluster === undefined ? undefined : () => clusterFacts(cluster, Date.now());
    const { hotPath } = config.buffer;
    const source = { host, fanout, version, hotPath, ready, cluster: facts };
    const { allowedHosts, allowedOrigins } = config.api;
    const app = createOperatorApp({
      ...source,
      metrics: createMetrics(source),
      drain: (leave) => this.#startDrain(host, fanout, leave),
      guard: { listenHost: config.api.host, allowedHosts, allowedOrigins },
      onKick: (stream, from) => {
        const who = from ?? "its publisher";
        this.#log.warning("operator removed {who} from {stream}", { event: "kicked", who, stream });
      },
    });
    const listener = listenHttp(app, { ...config.api, table: "api" });
    this.#http.push(listener);
    this.#listens("api", "API and metrics", listener.url);
  }

  #listens(listener: keyof Addresses, what: string, address: string): void {
    this.addresses[listener] = address;
    this.#log.info("{what} on {address}", { event: "listening", listener, what, address });
  }

  #startDrain(
    host: UdpLoop,
    fanout: FlvFanout,
    leave: { readonly timeoutMs: number } | undefined,
  ): void {
    if (this.#state === "ready") {
      this.#state = "draining";
      this.#log.warning("operator asked to drain: nobody new is taken", { event: "draining" });
      host.command((edge, now) => edge.drain(now));
      void this.#cluster?.drain();
    }
    if (leave === undefined || this.#drain !== undefined || this.#state !== "draining") return;
    const { timeoutMs } = leave;
    this.#log.warning(
      "members are moved to other edges; this one ends after {timeoutMs} ms at most",
      {
        event: "leaving",
        timeoutMs,
      },
    );
    const { resolve: done } = this.#drained;
    this.#drain = new Drain({ host, timeoutMs, readers: () => fanout.readerCount, done });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#state = "stopping";
    clearInterval(this.#sweep);
    this.#drain?.cancel();
    this.#rtmp?.stop();
    const goodbye = this.#cluster?.stop();
    this.#fanout?.closeAll();
    this.#loop?.command((edge, now) => edge.close(now));
    await Promise.all([Bun.sleep(FLUSH_MS), goodbye]);
    this.#loop?.stop();
    await Promise.all(this.#http.map((listener) => listener.stop(GOODBYE_MS)));
  }
}

function isLoopback(host: string): boolean {
  return host === "::1" || host.startsWith("127.");
}
