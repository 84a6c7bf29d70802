import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EdgeConfig, loadConfig, parseConfig } from "./load.ts";
import { printConfig } from "./print.ts";

const STREAM = '[streams."live/*"]\nkey = "correct horse"\n';

function errorsOf(text: string, env: Record<string, string> = {}): readonly string[] {
  const result = parseConfig(text, "edge.toml", env);
  return "errors" in result ? result.errors : [];
}

function configOf(text: string, env: Record<string, string> = {}): EdgeConfig {
  const result = parseConfig(text, "edge.toml", env);
  if ("errors" in result) throw new Error(result.errors.join("\n"));
  return result.config;
}

describe("a good config", () => {
  test("gets defaults for what is not written", () => {
    const config = configOf(STREAM);
    expect(config.udp).toEqual({ host: "0.0.0.0", port: 4935, sendBy: "auto" });
    expect(config.api.host).toBe("127.0.0.1");
    expect(config.buffer.groupMsMax).toBe(12_000);
    expect(config.streams).toEqual([
      { pattern: "live/*", key: "correct horse", open: false, maxViewers: undefined },
    ]);
  });

  test("takes a limit of what is sent, and has none by default", () => {
    expect(configOf(STREAM).limits.maxEgressMbps).toBe(0);
    expect(configOf(`[limits]\nmax_egress_mbps = 240\n${STREAM}`).limits.maxEgressMbps).toBe(240);
    expect(errorsOf(`[limits]\nmax_egress_mbps = -1\n${STREAM}`).join("\n")).toContain(
      "expected an integer in 0..1000000 Mbit/s, found -1",
    );
  });

  test("is frozen through and through", () => {
    const config = configOf(`[api]\nallowed_hosts = ["a.example"]\n${STREAM}`);
    for (const part of [
      config,
      config.udp,
      config.api.allowedHosts,
      config.streams,
      config.streams[0],
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  test("takes keys from the environment and from files beside it", () => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-config-"));
    try {
      writeFileSync(join(folder, "key"), "from the file\nnot this\n");
      const file = join(folder, "edge.toml");
      writeFileSync(
        file,
        '[streams]\n"live/a" = { key_env = "A_KEY" }\n"live/b" = { key_file = "key" }\n',
      );
      const result = loadConfig(file, { A_KEY: "from the env" });
      expect("config" in result && result.config.streams.map((rule) => rule.key)).toEqual([
        "from the env",
        "from the file",
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("lets SHOAL_HOT_PATH choose the hot path", () => {
    expect(configOf(STREAM).buffer.hotPath).toBe("wasm");
    expect(configOf(STREAM, { SHOAL_HOT_PATH: "twin" }).buffer.hotPath).toBe("twin");
  });

  test("prints as TOML that means the same, with its keys masked", () => {
    const config = configOf(
      `[udp]\nport = 5000\n[api]\nallowed_hosts = ["a.example"]\n${STREAM}max_viewers = 7\n`,
    );
    const printed = printConfig(config);
    expect(printed).not.toContain("correct horse");
    const again = configOf(printed);
    expect({ ...again, streams: [] }).toEqual({ ...config, streams: [] });
    expect(again.streams).toMatchObject([{ pattern: "live/*", maxViewers: 7 }]);
  });
});

describe("a bad config names file, line, key and what is expected", () => {
  const cases: [what: string, text: string, error: string][] = [
    [
      "a typo",
      `${STREAM}[udp]\nprot = 1\n`,
      'edge.toml:4: udp.prot: unknown key; did you mean "port"?',
    ],
    [
      "a typo in a table",
      `[htttp]\nport = 1\n${STREAM}`,
      'edge.toml:1: htttp: unknown key; did you mean "http"?',
    ],
    [
      "a key of nowhere",
      `[udp]\nzzzzzz = 1\n${STREAM}`,
      "edge.toml:2: udp.zzzzzz: unknown key; valid here: host, port, send_by",
    ],
    [
      "a wrong type",
      `[udp]\nport = "80"\n${STREAM}`,
      'edge.toml:2: udp.port: expected an integer in 0..65535, found "80"',
    ],
    [
      "out of range",
      `[udp]\nport = 65536\n${STREAM}`,
      "expected an integer in 0..65535, found 65536",
    ],
    ["a fraction", `[udp]\nport = 1.5\n${STREAM}`, "expected an integer in 0..65535, found 1.5"],
    [
      "a unit",
      `[buffer]\nretain_ms = 5\n${STREAM}`,
      "expected an integer in 1000..60000 ms, found 5",
    ],
    [
      "a word",
      `[log]\nlevel = "loud"\n${STREAM}`,
      'expected one of "debug", "info", "warning", "error", found "loud"',
    ],
    [
      "a host",
      `[udp]\nhost = "nowhere"\n${STREAM}`,
      'expected an IPv4 or IPv6 address, found "nowhere"',
    ],
    ["not a table", `udp = 3\n${STREAM}`, "edge.toml:1: udp: expected a table, found 3"],
    ["a list item", `[api]\nallowed_hosts = ["a b"]\n${STREAM}`, "edge.toml:2: api.allowed_hosts"],
    ["broken TOML", "[udp]\nport = \n", "edge.toml:3: "],
    [
      "a key twice",
      "[udp]\nport = 1\nport = 2\n",
      "edge.toml:3: Defining a key multiple times is invalid",
    ],
    [
      "no streams",
      "[udp]\nport = 1\n",
      'no stream may be published: add [streams."live/*"] with a key',
    ],
    [
      "a stream without a key",
      '[streams."live/a"]\n',
      "expected exactly one of key, key_env, key_file, open",
    ],
    ["two keys", `${STREAM}open = true\n`, "expected exactly one of key, key_env, key_file, open"],
    ["a bad stream name", '[streams."li ve"]\nopen = true\n', "expected a stream name like"],
    [
      "a missing variable",
      '[streams."live/a"]\nkey_env = "NONE"\n',
      "environment variable NONE, it is not set",
    ],
    [
      "a missing file",
      '[streams."live/a"]\nkey_file = "none"\n',
      'edge.toml:2: streams."live/a".key_file: none cannot',
    ],
    [
      "one port twice",
      `[api]\nhost = "0.0.0.0"\nport = 8080\n${STREAM}`,
      "edge.toml:3: api.port: expected a port other",
    ],
  ];
  test.each(cases)("%s", (_what, text, error) => {
    expect(errorsOf(text).join("\n")).toContain(error);
  });

  test("all of its errors at once", () => {
    expect(errorsOf('[udp]\nport = -1\n[rtmp]\nport = "x"\n').length).toBe(3);
  });

  test("never a key", () => {
    expect(errorsOf('[streams."live/a"]\nkey = "hunter2"\n').join("\n")).not.toContain("hunter2");
    expect(errorsOf('[streams."live/a"]\nkeyy = "hunter2-long"\n').join("\n")).not.toContain(
      "hunter2",
    );
  });

  test("a file that is not there", () => {
    const result = loadConfig("/nowhere/edge.toml", {});
    expect("errors" in result && result.errors).toEqual([
      "/nowhere/edge.toml: cannot be read: no such file",
    ]);
  });
});

test("regions are named, numbered by their place, and wrong networks are shown", () => {
  const text = (cidr: string) =>
    `[regions.north]\ncidrs = ["${cidr}"]\n[streams."live/*"]\nopen = true\n`;
  const good = parseConfig(text("192.0.2.0/24"), "edge.toml", {});
  expect(good).toMatchObject({ config: { regions: [{ name: "north", cidrs: ["192.0.2.0/24"] }] } });
  const bad = parseConfig(text("192.0.2.0/33"), "edge.toml", {});
  const expected = 'expected a network like "192.0.2.0/24", found "192.0.2.0/33"';
  expect(bad).toEqual({ errors: [`edge.toml:2: regions.north.cidrs.0: ${expected}`] });
});
