/**
 * What people type, turned into values: stream URLs, rates, listen addresses, spans. Every parser
 * takes the text and gives a value or throws `UsageError` with one line that says what to write
 * instead; the program exits 2 on it.
 */

/** The command line is wrong; the message says what to write. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** An edge as people name it. */
export interface EdgeName {
  /** Host name or IP, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Where a stream is: edges' UDP addresses and the stream's name there. */
export interface ShoalUrl {
  /** 1..8, to be tried in this order. */
  readonly edges: readonly EdgeName[];
  /** `live/<name>` */
  readonly stream: string;
}

/** Port an edge listens on when the URL names none. */
export const DEFAULT_EDGE_PORT = 4935;

const STREAM_NAME = /^live\/[A-Za-z0-9][A-Za-z0-9._~-]{0,99}$/;
/** Edges that one URL may name. */
const EDGES_MAX = 8;
const URL_EXAMPLE = "shoal://edge.example.net:4935/live/NAME";

/**
 * Whether `name` is a stream's name as this program accepts it: `live/` and 1..100 plain
 * characters.
 */
export function isStreamName(name: string): boolean {
  return STREAM_NAME.test(name);
}

/** Parses `shoal://HOST[:PORT][,HOST[:PORT]…]/live/NAME`. */
export function parseShoalUrl(text: string): ShoalUrl {
  const [, rawEdges = "", rawStream = ""] = /^shoal:\/\/([^/]+)\/(.+)$/.exec(text) ?? [];
  const edges = rawEdges.split(",").map(parseEdgeName);
  const known = edges.filter((edge) => edge !== undefined);
  if (known.length !== edges.length) {
    throw new UsageError(`"${text}" is not a stream URL; write it like ${URL_EXAMPLE}`);
  }
  if (edges.length > EDGES_MAX) {
    throw new UsageError(`${edges.length} edges are too many; write at most ${EDGES_MAX}`);
  }
  const stream = rawStream.replace(/\/$/, "");
  if (!isStreamName(stream)) {
    throw new UsageError(
      `"${stream}" is not a stream name; write live/NAME with letters, digits, ".", "_", "~", "-"`,
    );
  }
  return { edges: known, stream };
}

function parseEdgeName(text: string): EdgeName | undefined {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^/:[\]]+)(?::(\d+))?$/.exec(text);
  if (!match) return undefined;
  const [, host = "", port] = match;
  return {
    host: host.replace(/^\[|\]$/g, ""),
    port: port === undefined ? DEFAULT_EDGE_PORT : parsePort(port),
  };
}

/** The edges of a URL as people read them. */
export function formatEdges({ edges }: ShoalUrl): string {
  return edges.map(({ host, port }) => formatHostPort(host, port)).join(", ");
}

/** `HOST:PORT` as people read it, IPv6 in brackets. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A port, 1..65535. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port >= 1 && port <= 65535)) {
    throw new UsageError(`"${text}" is not a port; write a number from 1 to 65535`);
  }
  return port;
}

/** Where the local HTTP listens. */
export interface HttpListen {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
}

/** Parses `PORT` (on 127.0.0.1) or `HOST:PORT`; port 0 takes any free one. */
export function parseHttpListen(text: string): HttpListen {
  const match = /^(?:(\[[0-9A-Fa-f:.]+\]|[^:[\]]+):)?(\d{1,5})$/.exec(text);
  const port = match ? Number(match[2]) : Number.NaN;
  if (!match || port > 65535) {
    throw new UsageError(`"${text}" is not an HTTP address; write PORT or HOST:PORT, like 8080`);
  }
  return { host: (match[1] ?? "127.0.0.1").replace(/^\[|\]$/g, ""), port };
}

/** Whether only this machine can reach a listener on `host`. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/**
 * Parses a rate in bit/s (`2M`, `800k`, `1.5M`, `250000`; k, M and G are decimal) and gives it in
 * bytes/s. Zero is refused: `--consume-only` says that.
 */
export function parseRate(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kKmMgG]?)(?:bit\/s|bps)?$/.exec(text);
  const unit = { "": 1, k: 1e3, m: 1e6, g: 1e9 }[(match?.[2] ?? "").toLowerCase()] ?? 1;
  const bitsPerSecond = match ? Number(match[1]) * unit : Number.NaN;
  if (!(bitsPerSecond >= 8)) {
    throw new UsageError(
      `"${text}" is not a rate; write bits per second like 2M or 800k (nothing at all: --consume-only)`,
    );
  }
  return Math.floor(bitsPerSecond / 8);
}

/** Bounds of the play-out delay a viewer may ask for, ms. (DESIGN: the play buffer's size) */
export const TARGET_MS_MIN = 300;
export const TARGET_MS_MAX = 3_000;

/** Parses a play-out delay in ms. */
export function parseTargetMs(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= TARGET_MS_MIN && value <= TARGET_MS_MAX)) {
    throw new UsageError(
      `"${text}" is not a play-out delay; write ${TARGET_MS_MIN} to ${TARGET_MS_MAX} (milliseconds)`,
    );
  }
  return value;
}

/** What `shoal publish` reads from. */
export type PublishInput =
  | { readonly kind: "stdin" }
  | { readonly kind: "file"; readonly path: string }
  /** An RTMP listener for one encoder; `app` and `name` must match when given. */
  | {
      readonly kind: "rtmp";
      readonly host: string;
      readonly port: number;
      readonly app: string;
      readonly name: string;
    };

/** Port of RTMP when the URL names none (Adobe RTMP specification). */
const RTMP_PORT = 1935;

/** Parses INPUT of `shoal publish`: `-`, `rtmp://HOST:PORT/app/name`, or a file's path. */
export function parsePublishInput(text: string): PublishInput {
  if (text === "-") return { kind: "stdin" };
  if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(text)) return { kind: "file", path: text };
  const match = /^rtmp:\/\/(\[[0-9A-Fa-f:.]+\]|[^/:[\]]+)(?::(\d+))?\/([\w.~-]+)\/([\w.~-]+)$/.exec(
    text,
  );
  if (!match) {
    throw new UsageError(
      `"${text}" is no input; write a file, - for FLV on stdin, or rtmp://HOST:PORT/app/name to listen on`,
    );
  }
  const [, host = "", port, app = "", name = ""] = match;
  return {
    kind: "rtmp",
    host: host.replace(/^\[|\]$/g, ""),
    port: port === undefined ? RTMP_PORT : parsePort(port),
    app,
    name,
  };
}
