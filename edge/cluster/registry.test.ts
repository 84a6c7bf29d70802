/** One suite for both registries: in memory, and in a real Redis. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { maskedUrl } from "../config/print.ts";
import type { Registry } from "./registry.ts";
import { RegistryError } from "./registry.ts";
import { MemoryRegistry, MemoryStore } from "./registry-memory.ts";
import { RedisRegistry } from "./registry-redis.ts";
import { edgeRecord, HAS_REDIS, streamRecord, TestRedis } from "./testing.ts";

const LEASE_MS = 400;

interface Kind {
  open(): Registry;
  /** Lets so much time pass for the registry. */
  pass(spanMs: number): Promise<void>;
}

function suite(name: string, kind: Kind): void {
  describe(`registry in ${name}`, () => {
    const registries: Registry[] = [];
    const open = (): Registry => {
      const registry = kind.open();
      registries.push(registry);
      return registry;
    };
    afterEach(async () => {
      const [one] = registries;
      for (const id of ["a", "b", "c"]) {
        for (const boot of [1, 2]) await one?.leave(id, `${id}-${boot}`).catch(() => undefined);
      }
      for (const registry of registries.splice(0)) registry.close();
    });

    test("shows every edge the others, their links and streams", async () => {
      const [a, b] = [open(), open()];
      const link = {
        fromLineId: "main",
        toEdgeId: "b",
        toLineId: "main",
        rttMs: 30,
        jitterMs: 1,
        loss: 0.01,
        usableKbps: 1000,
        usedKbps: 0,
        isUp: true,
      };
      await a.beat(edgeRecord("a", { viewers: 7 }), [link]);
      await a.claim(streamRecord("live/x", "a", "p1"));
      const seen = await b.beat(edgeRecord("b"), []);
      expect(seen.edges.map(({ edgeId }) => edgeId).sort()).toEqual(["a", "b"]);
      expect(seen.edges.find(({ edgeId }) => edgeId === "a")).toEqual(
        edgeRecord("a", { viewers: 7 }),
      );
      expect(seen.streams).toEqual([streamRecord("live/x", "a", "p1")]);
      expect(seen.links).toContainEqual({ edgeId: "a", links: [link] });
    });

    test("grants a stream to exactly one of those who ask at once", async () => {
      const edges = ["a", "b", "c"];
      const all = edges.map(() => open());
      await Promise.all(all.map((one, i) => one.beat(edgeRecord(edges[i] as string), [])));
      const results = await Promise.all(
        all.map((one, i) => one.claim(streamRecord("live/x", edges[i] as string, `p${i}`))),
      );
      const winner = results.findIndex(({ type }) => type === "mine");
      expect(results.filter(({ type }) => type === "mine").length).toBe(1);
      for (const result of results) {
        if (result.type === "taken") expect(result.by.edgeId).toBe(edges[winner] as string);
      }
    });

    test("lets a publisher move with its stream, and nobody else", async () => {
      const [a, b] = [open(), open()];
      await a.beat(edgeRecord("a"), []);
      await b.beat(edgeRecord("b"), []);
      expect(await a.claim(streamRecord("live/m", "a", "p1"))).toEqual({
        type: "mine",
        epochMax: 0,
      });
      expect(await b.claim(streamRecord("live/m", "b", "p2"))).toMatchObject({ type: "taken" });
      expect(await b.claim(streamRecord("live/m", "b", "p1", { epoch: 7 }))).toMatchObject({
        type: "mine",
      });
      expect(await a.claim(streamRecord("live/m", "a", "p3"))).toMatchObject({
        type: "taken",
        by: { edgeId: "b", epoch: 7 },
      });
      /* What was given back by the one who no longer has it stays where it is. */
      await a.release(streamRecord("live/m", "a", "p1"));
      expect((await a.beat(edgeRecord("a"), [])).streams.length).toBe(1);
    });

    test("remembers the highest epoch of a stream that was given back", async () => {
      const a = open();
      await a.beat(edgeRecord("a"), []);
      await a.claim(streamRecord("live/e", "a", "p1", { epoch: 1_700_000_009 }));
      await a.claim(streamRecord("live/e", "a", "p1", { epoch: 1_700_000_003 }));
      await a.release(streamRecord("live/e", "a", "p1"));
      const again = await a.claim(streamRecord("live/e", "a", "p2", { epoch: 1 }));
      expect(again).toEqual({ type: "mine", epochMax: 1_700_000_009 });
    });

    test("frees what an edge held when its lease ends, and not while it renews it", async () => {
      const [a, b] = [open(), open()];
      await a.beat(edgeRecord("a"), []);
      await b.beat(edgeRecord("b"), []);
      await a.claim(streamRecord("live/x", "a", "p1"));
      for (let i = 0; i < 3; i++) {
        await kind.pass(LEASE_MS / 2);
        await a.beat(edgeRecord("a"), []);
        await b.beat(edgeRecord("b"), []);
      }
      expect(await b.claim(streamRecord("live/x", "b", "p2"))).toMatchObject({ type: "taken" });
      await kind.pass(LEASE_MS / 2);
      await b.beat(edgeRecord("b"), []);
      await kind.pass(LEASE_MS / 2 + 50);
      const seen = await b.beat(edgeRecord("b"), []);
      expect(seen.edges.map(({ edgeId }) => edgeId)).toEqual(["b"]);
      expect(seen.streams).toEqual([]);
      expect(await b.claim(streamRecord("live/x", "b", "p2"))).toMatchObject({ type: "mine" });
    });

    test("voids what an edge held before it was started anew", async () => {
      const [a, b] = [open(), open()];
      await a.beat(edgeRecord("a"), []);
      await a.claim(streamRecord("live/x", "a", "p1"));
      await a.beat(edgeRecord("a", { bootId: "a-2" }), []);
      expect((await b.beat(edgeRecord("b"), [])).streams).toEqual([]);
    });

    test("forgets an edge that leaves at once", async () => {
      const [a, b] = [open(), open()];
      await a.beat(edgeRecord("a"), []);
      await a.claim(streamRecord("live/x", "a", "p1"));
      await a.leave("a", "another start");
      expect((await b.beat(edgeRecord("b"), [])).edges.length).toBe(2);
      await a.leave("a", "a-1");
      const seen = await b.beat(edgeRecord("b"), []);
      expect([seen.edges.length, seen.streams.length]).toEqual([1, 0]);
    });

    test("tells the others of a change before they would look again", async () => {
      const [a, b] = [open(), open()];
      let told = 0;
      b.onChange(() => told++);
      await a.beat(edgeRecord("a"), []);
      await b.beat(edgeRecord("b"), []);
      for (let i = 0; i < 100 && told === 0; i++) {
        await a.claim(streamRecord("live/x", "a", `p${i}`));
        await Bun.sleep(20);
      }
      expect(told).toBeGreaterThan(0);
    });
  });
}

let memoryNow = 1000;
const store = new MemoryStore(() => memoryNow);
suite("memory", {
  open: () => new MemoryRegistry(store, LEASE_MS),
  pass: async (spanMs) => {
    memoryNow += spanMs;
  },
});

describe.skipIf(!HAS_REDIS)("with a Redis", () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await TestRedis.start();
  });
  afterAll(async () => {
    await redis.stop();
  });
  const open = () =>
    new RedisRegistry({
      url: redis.url,
      namespace: "test",
      leaseMs: LEASE_MS,
      name: maskedUrl(redis.url),
    });

  suite("Redis", { open, pass: (spanMs) => Bun.sleep(spanMs) });

  test("a Redis that is gone fails every call soon, and is found again when it is back", async () => {
    const registry = open();
    const before = await registry.beat(edgeRecord("a"), []);
    expect((await registry.beat(edgeRecord("a"), [])).born).toBe(before.born);
    await redis.kill();
    const from = performance.now();
    await expect(registry.beat(edgeRecord("a"), [])).rejects.toThrow(RegistryError);
    await expect(registry.claim(streamRecord("live/x", "a", "p"))).rejects.toThrow(RegistryError);
    expect(performance.now() - from).toBeLessThan(3000);
    await redis.start();
    const after = await registry.beat(edgeRecord("a"), []);
    expect(after.edges.length).toBe(1);
    expect(after.born).not.toBe(before.born);
    registry.close();
  });
});
