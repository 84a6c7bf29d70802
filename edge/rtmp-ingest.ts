/**
 * Encoders that push RTMP become publishers in the edge's own process: key checked, one a stream,
 * refusals explained.
 */
import { ms } from "../runtime/base/time.ts";
import {
  createRtmpListener,
  type FrameSink,
  type PublishAnswer,
  type RtmpLog,
  type RtmpPublisher,
  type RtmpPublishInfo,
} from "../runtime/media/rtmp-server.ts";
import type { CloseReason, EdgeEvent, LocalPublisher } from "../runtime/node/api.ts";
import type { Cluster } from "./cluster/cluster.ts";
import type { EdgeConfig } from "./config/load.ts";
import type { StreamKeys } from "./config/stream-keys.ts";
import type { EdgeHost } from "./host.ts";
import type { Logger } from "./log.ts";
import { formatAddress, StartError } from "./start-error.ts";

/** An encoder silent for this long gives way to one that shows the key: it lost its connection and came back. */
const SILENT_MS = 1000;

export interface RtmpIngestOptions {
  readonly host: EdgeHost;
  readonly keys: StreamKeys;
  readonly config: EdgeConfig["rtmp"];
  readonly log: Logger;
  /** Whether another edge has a stream, and word of those published here. */
  readonly cluster?: Pick<Cluster, "heldBy" | "hold"> | undefined;
}

export interface RtmpIngest {
  /** `HOST:PORT` */
  readonly address: string;
  /** An operator's removal of a stream ends the encoder's connection too. */
  handleEvent(event: EdgeEvent): void;
  stop(): void;
}

/** @throws StartError when the address cannot be had. */
export async function startRtmpIngest(options: RtmpIngestOptions): Promise<RtmpIngest> {
  const { host, port, maxConnections, maxConnectionsPerAddress } = options.config;
  const desk = new PublishDesk(options.host, options.keys, options.cluster);
  const listener = await createRtmpListener({
    host,
    port,
    onPublish: (info, publisher) => desk.handlePublish(info, publisher),
    log: logTo(options.log),
    limits: { connectionsMax: maxConnections, connectionsPerAddressMax: maxConnectionsPerAddress },
  }).catch((error: unknown) => {
    throw StartError.listen("TCP", host, port, "rtmp", error);
  });
  return {
    address: formatAddress(host, listener.port),
    handleEvent: (event) => desk.handleEvent(event),
    stop: () => void listener.close(),
  };
}

interface Holder {
  readonly publisher: RtmpPublisher;
  lastFrameAt: number;
}

/** Decides who publishes what. */
export class PublishDesk {
  readonly #host: EdgeHost;
  readonly #keys: StreamKeys;
  readonly #cluster: RtmpIngestOptions["cluster"];
  readonly #holders = new Map<string, Holder>();

  constructor(host: EdgeHost, keys: StreamKeys, cluster?: RtmpIngestOptions["cluster"]) {
    this.#host = host;
    this.#keys = keys;
    this.#cluster = cluster;
  }

  handlePublish(info: RtmpPublishInfo, publisher: RtmpPublisher): PublishAnswer {
    const stream = `${info.app}/${info.name}`;
    const admission = this.#keys.admits(stream, info.key ?? "");
    if (admission !== "ok") return { refuse: refusalText(admission, stream) };
    const holder = this.#holders.get(stream);
    if (holder !== undefined && this.#host.now() - holder.lastFrameAt > SILENT_MS) {
      holder.publisher.close("the encoder connected anew");
    }
    const elsewhere = this.#cluster?.heldBy(stream);
    if (elsewhere !== undefined) {
      return { refuse: `stream busy: ${stream} is already being published at ${elsewhere}` };
    }
    const from = `rtmp ${info.remote}`;
    const local = this.#host.command((edge, now) => edge.publishLocal(now, stream, from));
    if ("refused" in local) return { refuse: refusalText(local.refused, stream) };
    this.#cluster?.hold(stream);
    return { accept: this.#sink(stream, publisher, local) };
  }

  handleEvent(event: EdgeEvent): void {
    if (event.type !== "streamEnded") return;
    const publisher = this.#holders.get(event.stream)?.publisher;
    if (event.reason === "not wanted") publisher?.close("removed by the operator");
    else if (event.reason === "stream busy") publisher?.close("published at another edge first");
  }

  #sink(stream: string, publisher: RtmpPublisher, local: LocalPublisher): FrameSink {
    const holder: Holder = { publisher, lastFrameAt: this.#host.now() };
    this.#holders.set(stream, holder);
    return {
      push: (frame) => {
        const now = this.#host.now();
        holder.lastFrameAt = now;
        this.#host.command(() => local.push(now, frame));
      },
      end: () => {
        if (this.#holders.get(stream) === holder) this.#holders.delete(stream);
        this.#host.command((_edge, now) => local.end(ms(now)));
      },
    };
  }
}

function refusalText(reason: CloseReason, stream: string): string {
  switch (reason) {
    case "wrong key":
      return `wrong key for ${stream}; give it as ${stream}?key=KEY`;
    case "unknown stream":
      return `unknown stream ${stream}; it has no entry under [streams] in the edge's config`;
    case "stream busy":
      return `stream busy: ${stream} is already being published`;
    default:
      return `${reason}: ${stream}`;
  }
}

function logTo(log: Logger): RtmpLog {
  return (level, message, fields) => {
    const { remote, app, name, reason } = fields as Record<string, string | undefined>;
    const stream = app === undefined ? "" : ` for ${app}/${name}`;
    const text = `${message}, ${remote}${stream}${reason === undefined ? "" : `: ${reason}`}`;
    log[level === "warn" ? "warning" : level]("{text}", { text, event: "rtmp", ...fields });
  };
}
