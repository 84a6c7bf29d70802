/**
 * From a file to a frozen `EdgeConfig`, or to lines that say what to change. It is checked here, once; nobody checks it
 * again later.
 */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { RegionRule } from "../regions.ts";
import { type ClusterConfig, resolveCluster } from "./cluster-config.ts";
import { explain, keyPath, type Problem } from "./explain.ts";
import { type RawConfig, type RawStream, schema } from "./schema.ts";
import { readError, readSecret } from "./secrets.ts";
import type { StreamRule } from "./stream-keys.ts";
import { parseTomlSource } from "./toml-source.ts";

type Camel<S> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type CamelKeys<T> = { readonly [K in keyof T as Camel<K>]: T[K] };
type Section<K extends keyof RawConfig> = CamelKeys<RawConfig[K]>;

/** The whole configuration of an edge, frozen. Keys are those of docs/CONFIG.md in camel case. */
export interface EdgeConfig {
  readonly udp: Section<"udp">;
  readonly http: Section<"http">;
  readonly api: Section<"api">;
  readonly rtmp: Section<"rtmp">;
  readonly swarm: Section<"swarm">;
  readonly limits: Section<"limits">;
  readonly buffer: Section<"buffer">;
  readonly log: Section<"log">;
  /** Undefined for an edge by itself. */
  readonly cluster: ClusterConfig | undefined;
  /** Numbered by their place, from 1. */
  readonly regions: readonly RegionRule[];
  /** Keys resolved: no environment, no files any more. */
  readonly streams: readonly StreamRule[];
}

export type Environment = Readonly<Record<string, string | undefined>>;
export type LoadResult = { readonly config: EdgeConfig } | { readonly errors: readonly string[] };

/** Least length of a stream key, characters: the handshake's proof can be guessed at offline. */
const KEY_LENGTH_MIN = 8;

export function loadConfig(file: string, env: Environment): LoadResult {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return { errors: [`${file}: cannot be read: ${readError(error)}`] };
  }
  return parseConfig(text, file, env);
}

/** As `loadConfig`, from a text; `file` names it in errors and anchors relative `key_file` paths. */
export function parseConfig(text: string, file: string, env: Environment): LoadResult {
  const source = parseTomlSource(text);
  if ("message" in source) return { errors: [`${file}:${source.line}: ${source.message}`] };
  const parsed = schema.safeParse(source.value);
  const problems: Problem[] = [];
  const streams: StreamRule[] = [];
  let cluster: ClusterConfig | undefined;
  if (parsed.success) {
    problems.push(...relations(parsed.data, env));
    const resolved = resolveCluster(parsed.data, dirname(file), env);
    if ("problems" in resolved) problems.push(...resolved.problems);
    else cluster = resolved.cluster;
    for (const [pattern, raw] of Object.entries(parsed.data.streams)) {
      const rule = resolveKey(pattern, raw, dirname(file), env);
      if ("message" in rule) problems.push(rule);
      else streams.push(rule);
    }
  } else problems.push(...explain(parsed.error.issues, source.value));
  if (!parsed.success || problems.length > 0) {
    return {
      errors: problems.map((problem) => describe(problem, file, source.lineOf(problem.path))),
    };
  }
  return { config: freeze(parsed.data, streams, cluster, env) };
}

function describe(problem: Problem, file: string, line: number): string {
  return `${file}:${line}: ${keyPath(problem.path)}: ${problem.message}`;
}

/** What no single key can say. */
function relations(raw: RawConfig, env: Environment): Problem[] {
  const problems: Problem[] = [];
  const override = env.SHOAL_HOT_PATH;
  if (override !== undefined && override !== "wasm" && override !== "twin") {
    const message = `expected "wasm" or "twin" in SHOAL_HOT_PATH, found ${JSON.stringify(override)}`;
    problems.push({ path: ["buffer", "hot_path"], message });
  }
  const ways = raw.http.enabled && raw.api.enabled && raw.http.port !== 0;
  if (ways && raw.http.port === raw.api.port && raw.http.host === raw.api.host) {
    problems.push({
      path: ["api", "port"],
      message: `expected a port other than http.port, found ${raw.api.port}`,
    });
  }
  return problems;
}

function resolveKey(
  pattern: string,
  raw: RawStream,
  base: string,
  env: Environment,
): StreamRule | Problem {
  const maxViewers = raw.max_viewers;
  if (raw.open === true) return { pattern, key: "", open: true, maxViewers };
  if (raw.key !== undefined) return { pattern, key: raw.key, open: false, maxViewers };
  const where = {
    path: ["streams", pattern],
    names: { env: "key_env", file: "key_file" },
    base,
    lengthMin: KEY_LENGTH_MIN,
  };
  const found = readSecret({ env: raw.key_env, file: raw.key_file }, where, env);
  if ("message" in found) return found;
  return { pattern, key: found.secret, open: false, maxViewers };
}

function freeze(
  raw: RawConfig,
  streams: readonly StreamRule[],
  cluster: ClusterConfig | undefined,
  env: Environment,
): EdgeConfig {
  const hotPath =
    env.SHOAL_HOT_PATH === undefined ? {} : { hot_path: env.SHOAL_HOT_PATH as "wasm" | "twin" };
  return Object.freeze({
    udp: camelKeys(raw.udp),
    http: camelKeys(raw.http),
    api: camelKeys(raw.api),
    rtmp: camelKeys(raw.rtmp),
    swarm: camelKeys(raw.swarm),
    limits: camelKeys(raw.limits),
    buffer: camelKeys({ ...raw.buffer, ...hotPath }),
    log: camelKeys(raw.log),
    cluster,
    regions: Object.freeze(
      Object.entries(raw.regions).map(([name, { cidrs }]) => Object.freeze({ name, cidrs })),
    ),
    streams: Object.freeze(streams.map((rule) => Object.freeze(rule))),
  });
}

function camelKeys<T extends object>(table: T): CamelKeys<T> {
  const entries = Object.entries(table).map(([key, value]) => [
    key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    Array.isArray(value) ? Object.freeze(value) : value,
  ]);
  return Object.freeze(Object.fromEntries(entries)) as CamelKeys<T>;
}
