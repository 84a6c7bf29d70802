/** From the tables `[cluster]` and `[lines]` to what the program is run with. */
import type { LineFacts } from "../../runtime/node/mesh/mesh-api.ts";
import { type Address, parseAddress } from "../../runtime/wire/address.ts";
import type { Problem } from "./explain.ts";
import type { RawConfig } from "./schema.ts";
import { ENDPOINT_PATTERN } from "./schema-cluster.ts";
import { readSecret } from "./secrets.ts";

export interface LineConfig extends LineFacts {
  /** The line's own socket; undefined = that of [udp]. */
  readonly bind: { readonly host: string; readonly port: number } | undefined;
}

/** An edge that is one of many. */
export interface ClusterConfig {
  readonly id: string;
  readonly secret: string;
  /** URL of the registry; undefined = in memory. */
  readonly redis: string | undefined;
  readonly namespace: string;
  /** Share of viewers or egress above which joins are sent on, 0..1. */
  readonly redirectAbove: number;
  readonly paths: "many" | "one";
  /** The first is that of [udp]. */
  readonly lines: readonly LineConfig[];
}

/** Shortest secret: it can be guessed at offline from a handshake. */
const SECRET_LENGTH_MIN = 16;

/** Undefined for an edge by itself. */
export function resolveCluster(
  raw: RawConfig,
  base: string,
  env: Readonly<Record<string, string | undefined>>,
): { readonly cluster: ClusterConfig | undefined } | { readonly problems: readonly Problem[] } {
  const { id, secret, secret_env, secret_file, redis } = raw.cluster;
  const hasLines = Object.keys(raw.lines).length > 0;
  const given = [secret, secret_env, secret_file].filter((one) => one !== undefined);
  if (id === undefined) {
    if (given.length === 0 && redis === undefined && !hasLines) return { cluster: undefined };
    const message = "expected the edge's name: without it [cluster] and [lines] mean nothing";
    return { problems: [{ path: ["cluster", "id"], message }] };
  }
  if (given.length !== 1) {
    const message = "expected exactly one of secret, secret_env, secret_file";
    return { problems: [{ path: ["cluster"], message }] };
  }
  const where = {
    path: ["cluster"],
    names: { env: "secret_env", file: "secret_file" },
    base,
    lengthMin: SECRET_LENGTH_MIN,
  };
  const found = readSecret({ plain: secret, env: secret_env, file: secret_file }, where, env);
  if ("message" in found) return { problems: [found] };
  const lines = resolveLines(raw);
  if ("problems" in lines) return lines;
  const { namespace = "shoal", redirect_above_percent, paths } = raw.cluster;
  const redirectAbove = redirect_above_percent / 100;
  const cluster = { id, secret: found.secret, redis, namespace, redirectAbove, paths, lines };
  return { cluster: Object.freeze(cluster) };
}

function resolveLines(
  raw: RawConfig,
): readonly LineConfig[] | { readonly problems: readonly Problem[] } {
  const lines = Object.entries(raw.lines).map(([lineId, line]) => {
    const bound = line.bind === undefined ? undefined : endpointOf(line.bind);
    return Object.freeze({
      lineId,
      address: endpointOf(line.address),
      isp: line.isp ?? lineId,
      capacityMbps: line.capacity_mbps,
      costWeight: line.cost,
      commitMbps: line.commit_mbps,
      bind: bound === undefined ? undefined : { host: bound.ip, port: bound.port },
    });
  });
  const own = lines.filter(({ bind }) => bind === undefined);
  if (own.length !== 1) {
    const message = `expected one line without bind, that of [udp], found ${own.length}`;
    return { problems: [{ path: ["lines"], message }] };
  }
  return Object.freeze([...own, ...lines.filter(({ bind }) => bind !== undefined)]);
}

/** Checked by the schema. */
function endpointOf(text: string): Address {
  const [, six, four, port] = ENDPOINT_PATTERN.exec(text) ?? [];
  return parseAddress(six ?? four ?? "", Number(port)) as Address;
}
