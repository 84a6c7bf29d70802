/**
 * The keys an operator may write into edge.toml, each with its type, bounds, default and meaning. Everything that says
 * something about a key is made from this one description: the check, the error lines, `--check-config`, and the tables
 * of docs/CONFIG.md (a test compares them).
 */
import { z } from "zod";
import { parseCidr } from "../regions.ts";
import {
  address,
  boolean,
  choice,
  integer,
  type KeyNote,
  list,
  port,
  secret,
} from "./key-kinds.ts";
import { cluster, line, lines } from "./schema-cluster.ts";

export type { KeyNote } from "./key-kinds.ts";

/** Longest stream name on the wire, bytes (docs/WIRE.md §5). */
const STREAM_NAME_BYTES_MAX = 128;

const HOST_PATTERN = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)$/;
const ORIGIN_PATTERN = /^https?:\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253})(:[0-9]{1,5})?$/;

const udp = z.strictObject({
  host: address("0.0.0.0", "address that publishers and viewers' peers reach"),
  port: port(4935, "UDP port of `shoal://HOST:PORT`"),
  send_by: choice(
    ["auto", "segments", "many"],
    "auto",
    '"segments" is sendmmsg with UDP_SEGMENT, gathered from where the media lies (Linux with ' +
      'glibc, no start without); "many" is what Bun offers everywhere; "auto" takes the first that works',
  ),
});

const http = z.strictObject({
  enabled: boolean(true, "the viewers' listener: status page, player page and HTTP-FLV"),
  host: address("0.0.0.0", "address of the viewers' listener; 127.0.0.1 behind a proxy"),
  port: port(8080, "its TCP port"),
  max_readers: integer(
    1,
    100_000,
    500,
    "readers",
    "HTTP-FLV readers in all; each costs a whole copy of its stream",
  ),
  reader_queue_kib: integer(
    256,
    65_536,
    4096,
    "KiB",
    "what may wait for one slow HTTP-FLV reader before it is put on the next key frame",
  ),
  reader_timeout_ms: integer(
    1000,
    60_000,
    10_000,
    "ms",
    "a reader that takes nothing for so long is cut; raise it for viewers on very uneven links",
  ),
});

const api = z.strictObject({
  enabled: boolean(true, "the operators' listener: API, metrics, readiness"),
  host: address("127.0.0.1", "its address; whoever reaches it can end streams, so keep it private"),
  port: port(9935, "its TCP port"),
  allowed_hosts: list(
    HOST_PATTERN,
    "host names without port",
    "names by which it may be called beside localhost and its own address (DNS rebinding is refused)",
  ),
  allowed_origins: list(
    ORIGIN_PATTERN,
    "origins like https://host:port",
    "web pages elsewhere that may call it; none by default",
  ),
});

const rtmp = z.strictObject({
  enabled: boolean(true, "take streams from OBS and ffmpeg over RTMP"),
  host: address("0.0.0.0", "address that encoders reach"),
  port: port(1935, "its TCP port"),
  max_connections: integer(1, 1000, 64, "connections", "encoders at once; further ones are closed"),
  max_connections_per_address: integer(
    1,
    1000,
    16,
    "connections",
    "of these from one address; raise it when one machine pushes many streams",
  ),
});

const limits = z.strictObject({
  max_viewers: integer(
    1,
    1_000_000,
    5000,
    "viewers",
    "peers served over UDP; more are refused as overloaded",
  ),
  max_publishers: integer(
    1,
    10_000,
    100,
    "streams",
    "published at once, over RTMP and UDP together; more are refused as overloaded",
  ),
  max_egress_mbps: integer(
    0,
    1_000_000,
    0,
    "Mbit/s",
    "sent over UDP in all, 0 = not limited; the push tree is planned for 70 % of it, and joins " +
      "that would need more are refused as overloaded",
  ),
});

const swarm = z.strictObject({
  enabled: boolean(
    true,
    "viewers feed each other; false: the edge sends every viewer its own copy, and no viewer learns of another",
  ),
});

const buffer = z.strictObject({
  memory_mib: integer(
    16,
    1024,
    256,
    "MiB",
    "all streams' recent media, taken once at start; about bitrate × group_ms_max, per stream",
  ),
  retain_ms: integer(
    1000,
    60_000,
    5000,
    "ms",
    "how far back lost fragments can be asked for again",
  ),
  group_ms_max: integer(
    1000,
    60_000,
    12_000,
    "ms",
    "the current group of pictures is kept up to this age, so that joiners start with a picture",
  ),
  hot_path: choice(
    ["wasm", "twin"],
    "wasm",
    'who does the byte work; "twin" is plain TypeScript, for comparison. SHOAL_HOT_PATH overrides it',
  ),
});

const log = z.strictObject({
  level: choice(["debug", "info", "warning", "error"], "info", "least severity that is written"),
  format: choice(
    ["text", "json"],
    "text",
    "lines for people, or one JSON object a line for collectors",
  ),
});

/** One `[streams."NAME"]` table. Exactly one of the first four says who may publish. */
const stream = z
  .strictObject({
    key: secret(
      8,
      256,
      "8..256 characters",
      "the stream key itself; keep the file readable to the edge alone",
    ),
    key_env: secret(
      1,
      128,
      "the name of an environment variable",
      "takes the key from the environment",
    ),
    key_file: secret(
      1,
      4096,
      "the path of a file, seen from the config file",
      "takes the key from a file's first line, as secret stores provide it",
    ),
    open: z
      .literal(true)
      .optional()
      .meta({
        type: "boolean",
        unit: "–",
        range: "true",
        when: "anyone who reaches the edge may publish; for trials on one machine",
      } satisfies KeyNote),
    max_viewers: z
      .number()
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .meta({
        type: "integer",
        unit: "viewers",
        range: "1..1000000",
        when: "of each such stream, peers and HTTP readers together; more are refused. Not limited when absent",
      } satisfies KeyNote),
  })
  .superRefine(({ key, key_env, key_file, open }, context) => {
    const given = [key, key_env, key_file, open].filter((entry) => entry !== undefined);
    if (given.length === 1) return;
    context.addIssue({
      code: "custom",
      message: "expected exactly one of key, key_env, key_file, open",
    });
  });

/** `live/name`, where `*` stands for one or more characters other than `/`. */
const STREAM_PATTERN = /^[A-Za-z0-9._~*-]+(\/[A-Za-z0-9._~*-]+)+$/;

const streams = z.record(z.string(), stream).superRefine((value, context) => {
  for (const name of Object.keys(value)) {
    if (STREAM_PATTERN.test(name) && name.length <= STREAM_NAME_BYTES_MAX) continue;
    const message =
      'expected a stream name like "live/name" or "live/*" (letters, digits, . _ ~ -)';
    context.addIssue({ code: "custom", path: [name], message });
  }
  if (Object.keys(value).length > 0) return;
  context.addIssue({
    code: "custom",
    message: 'no stream may be published: add [streams."live/*"] with a key',
  });
});

/** Networks of one region at most, and regions (u16 on the wire). */
const CIDRS_MAX = 100_000;
const REGIONS_MAX = 65_535;

/** One `[regions."NAME"]` table. */
const region = z.strictObject({
  cidrs: z
    .array(
      z.string().refine((text) => parseCidr(text) !== undefined, {
        error: ({ input }) =>
          `expected a network like "192.0.2.0/24", found ${JSON.stringify(input)}`,
      }),
    )
    .min(1)
    .max(CIDRS_MAX)
    .meta({
      type: "list of strings",
      unit: "–",
      range: 'networks like "192.0.2.0/24" or "2001:db8::/32"',
      when: "the region's networks; where several regions match, the longest prefix decides",
    } satisfies KeyNote),
});

const regions = z.record(z.string(), region).superRefine((value, context) => {
  if (Object.keys(value).length <= REGIONS_MAX) return;
  context.addIssue({ code: "custom", message: `expected at most ${REGIONS_MAX} regions` });
});

export const schema = z.strictObject({
  udp: udp.prefault({}),
  http: http.prefault({}),
  api: api.prefault({}),
  rtmp: rtmp.prefault({}),
  limits: limits.prefault({}),
  swarm: swarm.prefault({}),
  buffer: buffer.prefault({}),
  log: log.prefault({}),
  cluster: cluster.prefault({}),
  lines: lines.prefault({}),
  regions: regions.prefault({}),
  streams: streams.prefault({}),
});

/** Tables whose keys are names that the operator gives to tables. */
const NAMED: readonly PropertyKey[] = ["streams", "regions", "lines"];

/** The tables as they stand in the file, by name. */
export const sections = {
  udp,
  http,
  api,
  rtmp,
  limits,
  swarm,
  buffer,
  log,
  cluster,
  lines: line,
  regions: region,
  streams: stream,
} as const;

export type RawConfig = z.output<typeof schema>;
export type RawStream = z.output<typeof stream>;

/** The note of a key, or undefined when the path names none. `streams."live/x".key` is ["streams", "live/x", "key"]. */
export function keyNote(path: readonly PropertyKey[]): KeyNote | undefined {
  const section = sections[String(path[0]) as keyof typeof sections];
  if (section === undefined) return undefined;
  const leaf = (section.shape as Record<string, z.ZodType>)[
    String(path[NAMED.includes(path[0] as PropertyKey) ? 2 : 1])
  ];
  return leaf?.meta() as KeyNote | undefined;
}

/** Names that may stand at this place of the file. */
export function validKeys(path: readonly PropertyKey[]): readonly string[] {
  if (path.length === 0) return Object.keys(sections);
  const section = sections[String(path[0]) as keyof typeof sections];
  return section === undefined ? [] : Object.keys(section.shape);
}
