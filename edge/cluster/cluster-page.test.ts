/** docs/CLUSTER.md: its three edges, as they stand there but for the ports. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { FrameKind } from "../../runtime/wire/frame.ts";
import { TestEdge, until } from "../testing.ts";
import { ephemeralPort, HAS_REDIS, TestRedis } from "./testing.ts";

setDefaultTimeout(60_000);
const PAGE = readFileSync(new URL("../../docs/CLUSTER.md", import.meta.url), "utf8");
const UDP_PORTS = /\b49\d\d\b/g;

test.skipIf(!HAS_REDIS)(
  "the three edges of docs/CLUSTER.md serve each other's streams",
  async () => {
    const files = [...PAGE.matchAll(/^```toml\n(# (\S+)\.toml\n[\s\S]*?)^```/gm)];
    expect(files.map(([, , name]) => name)).toEqual(["fra-1", "ams-1", "waw-1"]);
    const redis = await TestRedis.start();
    const ports = new Map<string, number>();
    for (const [port] of PAGE.matchAll(UDP_PORTS)) {
      if (!ports.has(port)) ports.set(port, await ephemeralPort("udp"));
    }
    const edges: TestEdge[] = [];
    let timer: ReturnType<typeof setInterval> | undefined;
    try {
      for (const [, text = ""] of files) {
        const own = text
          .replaceAll(UDP_PORTS, (port) => String(ports.get(port)))
          .replace(/^port = (8|9|1)\d+$/gm, "port = 0")
          .replace("redis://127.0.0.1:6379/0", redis.url);
        edges.push(await TestEdge.start(`${own}\n[log]\nlevel = "error"\n`));
      }
      const [fra, , waw] = edges as [TestEdge, TestEdge, TestEdge];
      const source = await fra.publish("live/show", "change-me-before-use");
      await source.connected();
      let i = 0;
      timer = setInterval(() => {
        const kind = i % 12 === 0 ? FrameKind.key : FrameKind.inter;
        source.push({ kind, dtsMs: i++ * 40, ptsOffsetMs: 0, body: new Uint8Array(500) });
      }, 40);
      const events = await waw.watch("live/show");
      await until(() => events.filter(({ type }) => type === "frame").length > 10);
      const links = (await (await fetch(`${fra.api}/api/v1/links`)).json()) as { links: object[] };
      expect(links.links.length).toBeGreaterThan(0);
    } finally {
      clearInterval(timer);
      await Promise.all(edges.map((edge) => edge.stop()));
      await redis.stop();
    }
  },
);
