/** A cluster's part of an edge's program: its registry from the configuration. */
import { randomBytes } from "node:crypto";
import type { EdgeConfig } from "../config/load.ts";
import { maskedUrl } from "../config/print.ts";
import type { Logger } from "../log.ts";
import { Cluster } from "./cluster.ts";
import type { Registry } from "./registry.ts";
import { MemoryRegistry, MemoryStore } from "./registry-memory.ts";
import { RedisRegistry } from "./registry-redis.ts";

const BOOT_ID_BYTES = 8;

/** Undefined for an edge by itself. */
export function createCluster(
  config: EdgeConfig,
  version: string,
  log: Logger,
): Cluster | undefined {
  const { cluster, limits } = config;
  if (cluster === undefined) return undefined;
  return new Cluster({
    config: cluster,
    registry: registryOf(cluster.redis, cluster.namespace),
    version,
    bootId: randomBytes(BOOT_ID_BYTES).toString("hex"),
    maxViewers: limits.maxViewers,
    maxEgressBps: limits.maxEgressMbps === 0 ? undefined : limits.maxEgressMbps * 1_000_000,
    wallMs: Date.now,
    log,
  });
}

function registryOf(url: string | undefined, namespace: string): Registry {
  if (url === undefined) return new MemoryRegistry(new MemoryStore(() => performance.now()));
  return new RedisRegistry({ url, namespace, name: maskedUrl(url) });
}
