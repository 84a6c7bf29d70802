import { describe, expect, test } from "bun:test";
import { Claims } from "./claims.ts";
import { ClusterView } from "./cluster-view.ts";
import type { Snapshot, StreamRecord } from "./registry.ts";
import { RegistryError } from "./registry.ts";
import { MemoryRegistry, MemoryStore } from "./registry-memory.ts";
import { edgeRecord, streamRecord } from "./testing.ts";

const S = "live/x";

/** The claims of edge "a", with edge "b" beside it in the same registry. */
async function setup() {
  const world = { now: 1000, isAway: false, settled: [] as string[], lost: [] as string[] };
  const store = new MemoryStore(() => world.now);
  const memory = new MemoryRegistry(store);
  const registry = Object.assign(Object.create(memory), memory, {
    claim: (record: StreamRecord) =>
      world.isAway ? Promise.reject(new RegistryError("away")) : memory.claim(record),
    release: (record: StreamRecord) => memory.release(record),
  }) as MemoryRegistry;
  const view = new ClusterView("a");
  const claims = new Claims({
    ownId: "a",
    bootId: "a-1",
    registry,
    view,
    now: () => world.now,
    wallMs: () => 0,
    isAway: () => world.isAway,
    settled: (stream) => world.settled.push(stream),
    lost: (stream, by, how) => world.lost.push(`${stream} ${how} to ${by.edgeId}`),
  });
  const beat = async (): Promise<Snapshot> => {
    await memory.beat(edgeRecord("b"), []);
    const snapshot = await memory.beat(edgeRecord("a"), []);
    view.apply(world.now, snapshot, false);
    return snapshot;
  };
  await beat();
  const pass = () => Bun.sleep(1);
  return { world, memory, view, claims, beat, pass };
}

describe("a claim", () => {
  test("is answered later, then it is mine for as long as it is wanted", async () => {
    const { world, memory, claims, pass } = await setup();
    expect(claims.claim(S, "p1", 5)).toBe("later");
    await pass();
    expect(world.settled).toEqual([S]);
    expect(claims.claim(S, "p1", 5)).toBe("mine");
    claims.handleStarted(S, 5);
    claims.releaseUnused([S]);
    expect(await memory.claim(streamRecord(S, "b", "p2"))).toMatchObject({ type: "taken" });
    claims.releaseUnused([]);
    await pass();
    expect(await memory.claim(streamRecord(S, "b", "p2"))).toMatchObject({ type: "mine" });
  });

  test("of what another edge has is refused, with its name, and asked anew the next time", async () => {
    const { memory, claims, pass } = await setup();
    await memory.claim(streamRecord(S, "b", "p2"));
    expect(claims.claim(S, "p1", 5)).toBe("later");
    await pass();
    expect(claims.claim(S, "p1", 5)).toEqual({ by: "b" });
    expect(claims.claim(S, "p1", 5)).toBe("later");
  });

  test("that nobody has come for is given back", async () => {
    const { world, memory, claims, pass } = await setup();
    claims.claim(S, "p1", 5);
    await pass();
    claims.releaseUnused([]);
    expect(claims.streams.length).toBe(1);
    world.now += 5001;
    claims.releaseUnused([]);
    await pass();
    expect(claims.streams).toEqual([]);
    expect((await memory.beat(edgeRecord("b"), [])).streams).toEqual([]);
  });

  test("without the registry is granted unless another edge is known to have it", async () => {
    const { world, memory, claims, beat, pass } = await setup();
    await memory.claim(streamRecord("live/b", "b", "p2"));
    await beat();
    world.isAway = true;
    expect(claims.claim("live/b", "p1", 5)).toEqual({ by: "b" });
    expect(claims.claim(S, "p1", 5)).toBe("mine");
    /* Back again: what was taken alone is asked for, and goes to whoever was first. */
    world.isAway = false;
    world.now += 100;
    claims.check(world.now, await beat());
    await pass();
    expect((await beat()).streams).toContainEqual(
      expect.objectContaining({ stream: S, edgeId: "a" }),
    );
    expect(world.lost).toEqual([]);
  });

  test("is lost to another that asked first while both were without the registry", async () => {
    const { world, memory, claims, beat, pass } = await setup();
    world.isAway = true;
    claims.claim(S, "p1", 5);
    await memory.claim(streamRecord(S, "b", "p2"));
    world.isAway = false;
    world.now += 100;
    claims.check(world.now, await beat());
    await pass();
    expect(world.lost).toEqual([`${S} lost to b`]);
    expect(claims.streams).toEqual([]);
  });

  test("follows its publisher to another edge; an older snapshot says nothing of it", async () => {
    const { world, memory, claims, beat, pass } = await setup();
    const stale = await beat();
    claims.claim(S, "p1", 5);
    await pass();
    claims.check(world.now - 1, { ...stale, streams: [streamRecord(S, "b", "p1")] });
    expect(world.lost).toEqual([]);
    await memory.claim(streamRecord(S, "b", "p1"));
    world.now += 100;
    claims.check(world.now, await beat());
    expect(world.lost).toEqual([`${S} moved to b`]);
  });

  test("of an encoder in the process is lost when another edge was first", async () => {
    const { world, memory, claims, pass } = await setup();
    await memory.claim(streamRecord(S, "b", "p2"));
    claims.hold(S, "encoder 1");
    await pass();
    expect(world.lost).toEqual([`${S} lost to b`]);
  });
});

describe("the copy of the registry", () => {
  test("keeps for a while whom a registry that came back empty does not name", async () => {
    const { world, memory, view, beat } = await setup();
    await memory.claim(streamRecord(S, "b", "p2"));
    const full = await beat();
    expect(view.holderOf(S)?.edgeId).toBe("b");
    const empty = { ...full, edges: [edgeRecord("a")], streams: [], born: "anew" };
    view.apply(world.now, empty, false);
    expect([view.others.length, view.holderOf(S)?.edgeId]).toEqual([1, "b"]);
    view.apply(world.now + 3001, empty, false);
    expect([view.others.length, view.holderOf(S)]).toEqual([0, undefined]);
  });

  test("keeps an edge that answers, and what it has, until another has taken it", async () => {
    const { world, memory, view, beat } = await setup();
    await memory.claim(streamRecord(S, "b", "p2"));
    const full = await beat();
    const without = { ...full, edges: [edgeRecord("a")], streams: [] };
    view.apply(world.now, without, false, (id) => id === "b");
    expect([view.others.length, view.holderOf(S)?.edgeId]).toEqual([1, "b"]);
    const taken = { ...without, streams: [streamRecord(S, "a", "p3")] };
    view.apply(world.now, taken, false, (id) => id === "b");
    expect([view.others.length, view.holderOf(S)]).toEqual([1, undefined]);
    view.apply(world.now, without, false, () => false);
    expect(view.others).toEqual([]);
  });

  test("forgets an edge at once that the registry has let go", async () => {
    const { world, view, beat } = await setup();
    const full = await beat();
    view.apply(world.now, { ...full, edges: [edgeRecord("a")] }, false);
    expect(view.others).toEqual([]);
  });
});
