/** The effective configuration as TOML, defaults filled in and keys masked: what `--check-config` shows. */
import { keyPath } from "./explain.ts";
import type { EdgeConfig } from "./load.ts";

export function printConfig(config: EdgeConfig): string {
  const { streams, regions, ...sections } = config;
  const tables = Object.entries(sections).map(([name, table]) =>
    printTable(name, Object.entries(table)),
  );
  for (const { name, cidrs } of regions) {
    tables.push(printTable(keyPath(["regions", name]), [["cidrs", cidrs]]));
  }
  for (const rule of streams) {
    const who: [string, unknown] = rule.open ? ["open", true] : ["key", "********"];
    const limit: [string, unknown][] =
      rule.maxViewers === undefined ? [] : [["maxViewers", rule.maxViewers]];
    tables.push(printTable(keyPath(["streams", rule.pattern]), [who, ...limit]));
  }
  return tables.join("\n");
}

function printTable(name: string, entries: readonly (readonly [string, unknown])[]): string {
  const lines = entries.map(([key, value]) => `${snakeCase(key)} = ${JSON.stringify(value)}\n`);
  return `[${name}]\n${lines.join("")}`;
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
