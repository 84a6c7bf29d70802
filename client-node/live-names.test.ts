import { afterEach, expect, test } from "bun:test";
import { LiveNames, parseNames } from "./live-names.ts";

const servers: { stop(force: boolean): unknown }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.stop(true);
});

test("reads the edge's list, at most once in a while, and keeps it while the edge is away", async () => {
  let asked = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => Response.json({ streams: [{ name: `live/${++asked}` }] }),
  });
  servers.push(server);
  const names = new LiveNames(`http://127.0.0.1:${server.port}/`);
  expect(await names.read()).toEqual(["live/1"]);
  expect(await names.read()).toEqual(["live/1"]);
  expect(asked).toBe(1);
});

test("gives no names without an edge's page, or while there is no answer", async () => {
  expect(await new LiveNames(undefined).read()).toEqual([]);
  expect(await new LiveNames("http://127.0.0.1:1").read()).toEqual([]);
});

test("takes nothing from a list but stream names", () => {
  expect(parseNames({ streams: [{ name: "live/a" }, { name: "../b" }, null, 7, {}] })).toEqual([
    "live/a",
  ]);
  for (const odd of [null, [], "x", { streams: "live/a" }, {}]) expect(parseNames(odd)).toEqual([]);
  const many = Array.from({ length: 200 }, (_, i) => ({ name: `live/${i}` }));
  expect(parseNames({ streams: many })).toHaveLength(50);
});
