/** The effective configuration as TOML, defaults filled in and keys masked: what `--check-config` shows. */
import { addressKey } from "../../runtime/wire/address.ts";
import { formatAddress } from "../start-error.ts";
import type { ClusterConfig } from "./cluster-config.ts";
import { keyPath } from "./explain.ts";
import type { EdgeConfig } from "./load.ts";

const MASK = "********";

export function printConfig(config: EdgeConfig): string {
  const { streams, regions, cluster, ...sections } = config;
  const tables = Object.entries(sections).map(([name, table]) =>
    printTable(name, Object.entries(table)),
  );
  if (cluster !== undefined) tables.push(...clusterTables(cluster));
  for (const { name, cidrs } of regions) {
    tables.push(printTable(keyPath(["regions", name]), [["cidrs", cidrs]]));
  }
  for (const rule of streams) {
    const who: [string, unknown] = rule.open ? ["open", true] : ["key", MASK];
    const limit: [string, unknown][] =
      rule.maxViewers === undefined ? [] : [["maxViewers", rule.maxViewers]];
    tables.push(printTable(keyPath(["streams", rule.pattern]), [who, ...limit]));
  }
  return tables.join("\n");
}

function clusterTables(cluster: ClusterConfig): string[] {
  const { lines, secret: _, redirectAbove, redis, ...rest } = cluster;
  const entries: [string, unknown][] = [
    ...Object.entries(rest),
    ["secret", MASK],
    ["redirectAbovePercent", Math.round(redirectAbove * 100)],
    ...(redis === undefined ? [] : [["redis", maskedUrl(redis)] as [string, unknown]]),
  ];
  const tables = lines.map(({ lineId, address, bind, isp, capacityMbps, costWeight, commitMbps }) =>
    printTable(keyPath(["lines", lineId]), [
      ["address", addressKey(address)],
      ...(bind === undefined
        ? []
        : [["bind", formatAddress(bind.host, bind.port)] as [string, unknown]]),
      ...Object.entries({ isp, capacityMbps, cost: costWeight, commitMbps }),
    ]),
  );
  return [printTable("cluster", entries), ...tables];
}

/** A URL without the password in it. */
export function maskedUrl(url: string): string {
  return url.replace(/(:\/\/[^@/]*:)[^@/]+@/, `$1${MASK}@`);
}

function printTable(name: string, entries: readonly (readonly [string, unknown])[]): string {
  const lines = entries.map(([key, value]) => `${snakeCase(key)} = ${JSON.stringify(value)}\n`);
  return `[${name}]\n${lines.join("")}`;
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
