import { describe, expect, test } from "bun:test";
import { type EdgeConfig, parseConfig } from "./load.ts";
import { printConfig } from "./print.ts";

const STREAM = '[streams."live/*"]\nkey = "correct horse"\n';
const CLUSTER = '[cluster]\nid = "fra-1"\nsecret = "sixteen characters, or more"\n';
const OWN_LINE = '[lines.bgp]\naddress = "192.0.2.1:4935"\n';
const OTHER_LINE =
  '[lines.isp-a]\naddress = "[2001:db8::1]:4936"\nbind = "10.0.0.1:4936"\ncost = 3\n';

function parsed(text: string, env: Record<string, string> = {}) {
  return parseConfig(text + STREAM, "edge.toml", env);
}

function configOf(text: string, env: Record<string, string> = {}): EdgeConfig {
  const result = parsed(text, env);
  if ("errors" in result) throw new Error(result.errors.join("\n"));
  return result.config;
}

function errorsOf(text: string): string {
  const result = parsed(text);
  return "errors" in result ? result.errors.join("\n") : "";
}

describe("an edge of a cluster", () => {
  test("is by itself when nothing is said", () => {
    expect(configOf("").cluster).toBeUndefined();
  });

  test("has its lines, that of [udp] first", () => {
    const { cluster } = configOf(CLUSTER + OTHER_LINE + OWN_LINE);
    expect(cluster).toMatchObject({ id: "fra-1", namespace: "shoal", redirectAbove: 0.9 });
    expect(cluster?.lines).toMatchObject([
      { lineId: "bgp", address: { ip: "192.0.2.1", port: 4935 }, bind: undefined, isp: "bgp" },
      {
        lineId: "isp-a",
        address: { family: 6, ip: "2001:db8::1", port: 4936 },
        bind: { host: "10.0.0.1", port: 4936 },
        costWeight: 3,
        capacityMbps: 1000,
        commitMbps: 0,
      },
    ]);
  });

  test("takes its secret from the environment, too, and shows neither it nor a password", () => {
    const text = '[cluster]\nid = "a"\nsecret_env = "S"\nredis = "redis://me:pass@h:1/0"\n';
    const config = configOf(text + OWN_LINE, { S: "sixteen characters, or more" });
    expect(config.cluster?.secret).toBe("sixteen characters, or more");
    const shown = printConfig(config);
    expect(shown).not.toContain("sixteen");
    expect(shown).toContain('redis = "redis://me:********@h:1/0"');
    expect(shown).toContain("[lines.bgp]");
  });

  test.each([
    [OWN_LINE, "edge.toml:1: cluster.id: expected the edge's name"],
    ['[cluster]\nid = "a"\n', "cluster: expected exactly one of secret, secret_env, secret_file"],
    [CLUSTER, "lines: expected one line without bind, that of [udp], found 0"],
    [CLUSTER + OTHER_LINE, "found 0"],
    [`${CLUSTER}[lines.a]\naddress = "example.net:1"\n`, "expected an address and a port like"],
    [`${CLUSTER}[lines.a]\naddress = "192.0.2.1:0"\n`, 'found "192.0.2.1:0"'],
    ['[cluster]\nid = "a"\nsecret = "short"\n', "expected a string: 16..256 characters"],
    [`${CLUSTER}redis = "http://h"\n`, "cluster.redis: expected a string: a URL like redis://"],
    [`${CLUSTER}[lines."a b"]\naddress = "192.0.2.1:1"\n`, "expected a name: 1..64 letters"],
  ])("is told what is wrong with %j", (text, expected) => {
    expect(errorsOf(text)).toContain(expected);
  });
});
