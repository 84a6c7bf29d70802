/** Edges of one cluster with real sockets and a real Redis, in one process on loopback. */
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import type { PeerEvent } from "../../runtime/node/api.ts";
import { FrameKind } from "../../runtime/wire/frame.ts";
import { TEST_CONFIG, TestEdge, type TestPublisher, until } from "../testing.ts";
import type { ClusterFacts } from "./cluster-facts.ts";
import { ephemeralPort, HAS_REDIS, TestRedis } from "./testing.ts";

setDefaultTimeout(60_000);
const STREAM = "live/a";
const FRAME_MS = 40;

type Edges = Pick<ClusterFacts, "registry" | "edges" | "streams">;

describe.skipIf(!HAS_REDIS)("a cluster", () => {
  let redis: TestRedis;
  const edges: TestEdge[] = [];
  const timers: ReturnType<typeof setInterval>[] = [];

  beforeAll(async () => {
    redis = await TestRedis.start();
  });
  afterAll(() => redis.stop());
  afterEach(async () => {
    for (const timer of timers.splice(0)) clearInterval(timer);
    await Promise.all(edges.splice(0).map((edge) => edge.stop()));
  });

  async function start(id: string, more = ""): Promise<TestEdge> {
    const port = await ephemeralPort("udp");
    const text = `${TEST_CONFIG.replace(/(\[udp\]\nhost = "127.0.0.1"\nport = )0/, `$1${port}`)}
[cluster]
id = "${id}"
secret = "sixteen characters or more"
redis = "${redis.url}"
[lines.main]
address = "127.0.0.1:${port}"
${more}`;
    const edge = await TestEdge.start(text);
    edges.push(edge);
    return edge;
  }

  async function startAll(...ids: string[]): Promise<TestEdge[]> {
    const all: TestEdge[] = [];
    for (const id of ids) all.push(await start(id));
    for (const edge of all)
      await until(async () => (await facts(edge)).edges.length === ids.length);
    return all;
  }

  async function facts(edge: TestEdge): Promise<Edges> {
    return (await fetch(`${edge.api}/api/v1/edges`)).json() as Promise<Edges>;
  }

  /** Frames every 40 ms, a key frame twice a second. */
  function play(source: TestPublisher): void {
    let i = 0;
    const push = () => {
      const kind = i % 12 === 0 ? FrameKind.key : FrameKind.inter;
      source.push({ kind, dtsMs: i++ * FRAME_MS, ptsOffsetMs: 0, body: new Uint8Array(2000) });
    };
    timers.push(setInterval(push, FRAME_MS));
  }

  async function published(edge: TestEdge): Promise<TestPublisher> {
    const source = await edge.publish(STREAM);
    await source.connected();
    play(source);
    return source;
  }

  const frames = (events: readonly PeerEvent[]) => events.filter(({ type }) => type === "frame");
  const plays = (events: readonly PeerEvent[], more = 10) => {
    const before = frames(events).length;
    return until(() => frames(events).length >= before + more);
  };

  test("serves any stream from any edge, fetched once however many watch, dropped when nobody does", async () => {
    const [a, b, c] = (await startAll("a", "b", "c")) as [TestEdge, TestEdge, TestEdge];
    await published(a);
    const viewers = [await b.watch(STREAM), await b.watch(STREAM), await c.watch(STREAM)];
    for (const events of viewers) await plays(events);
    const { streams } = await facts(b);
    expect(streams).toMatchObject([{ name: STREAM, edge: "a", fetchedFrom: "a" }]);
    const onB = (await (await fetch(`${b.api}/api/v1/streams`)).json()) as {
      streams: { bytesIn: number; viewers: number }[];
    };
    const onA = (await (await fetch(`${a.api}/api/v1/streams`)).json()) as typeof onB;
    expect(onB.streams[0]?.viewers).toBe(2);
    expect(onB.streams[0]?.bytesIn).toBeLessThanOrEqual((onA.streams[0]?.bytesIn ?? 0) * 1.05);
    const flv = await until(async () => {
      const response = await fetch(`${c.http}/${STREAM}.flv`);
      return response.status === 200 && response;
    });
    expect((await flv.body?.getReader().read())?.value?.length).toBeGreaterThan(0);
    b.leave();
    await until(async () => (await facts(b)).streams[0]?.fetchedFrom === null);
  });

  test("lets exactly one of two publishers at two edges win, and tells the other where it is", async () => {
    const [a, b] = (await startAll("a", "b")) as [TestEdge, TestEdge];
    const both = await Promise.all([a.publish(STREAM), b.publish(STREAM)]);
    const outcome = ({ events }: TestPublisher) =>
      until(() => events.find(({ type }) => type === "connected" || type === "refused"));
    const outcomes = await Promise.all(both.map(outcome));
    expect(outcomes.map(({ type }) => type).sort()).toEqual(["connected", "refused"]);
    const winner = outcomes[0]?.type === "connected" ? "a" : "b";
    const refusal = outcomes.find(({ type }) => type === "refused");
    expect(refusal).toMatchObject({ reason: "stream busy" });
    expect(JSON.stringify(refusal)).toContain(`is being published at ${winner}`);
  });

  test("goes on without its registry, says so, and heals", async () => {
    const [a, b] = (await startAll("a", "b")) as [TestEdge, TestEdge];
    await published(a);
    const before = await b.watch(STREAM);
    await plays(before);
    await redis.kill();
    await until(async () => !(await facts(b)).registry.isUp);
    const page = await (await fetch(`${b.http}/`)).text();
    expect(page).toContain("The registry does not answer");
    const metrics = await (await fetch(`${b.api}/metrics`)).text();
    expect(metrics).toContain("shoal_edge_cluster_registry_up 0");
    await plays(before);
    await plays(await b.watch(STREAM));
    const late = await b.publish("live/late");
    await late.connected();
    const taken = await b.publish(STREAM);
    await until(() => taken.events.find(({ type }) => type === "refused"));
    await redis.start();
    await until(async () => (await facts(a)).registry.isUp);
    await until(async () => {
      const { streams } = await facts(a);
      return streams.some(({ name, edge }) => name === "live/late" && edge === "b");
    });
    expect((await facts(b)).edges.length).toBe(2);
    await plays(before);
  });

  test("drains an edge: its publisher and viewers go on elsewhere, and it is done", async () => {
    const [a, b] = (await startAll("a", "b")) as [TestEdge, TestEdge];
    await published(a);
    const events = await a.watch(STREAM);
    await plays(events);
    const url = `${a.api}/api/v1/drain?leave=true&timeoutSeconds=30`;
    expect((await fetch(url, { method: "POST" })).status).toBe(200);
    expect(await a.program.drained).toBe("empty");
    await a.program.stop();
    await plays(events);
    expect(events.filter(({ type }) => type === "epoch").length).toBe(1);
    expect(events.some(({ type }) => type === "ended")).toBe(false);
    const { streams, edges: left } = await facts(b);
    expect(streams).toMatchObject([{ name: STREAM, edge: "b" }]);
    expect(left.map(({ id }) => id)).toEqual(["b"]);
  });

  test("sends a join from an edge that is full to one that is not", async () => {
    const a = await start("a", "[limits]\nmax_viewers = 1\n");
    const b = await start("b");
    for (const edge of [a, b]) await until(async () => (await facts(edge)).edges.length === 2);
    await published(a);
    await plays(await a.watch(STREAM));
    const second = await a.watch(STREAM);
    await plays(second);
    const [refused, connected] = second;
    expect(refused).toMatchObject({ type: "refused", reason: "moved" });
    expect(connected).toMatchObject({ type: "connected" });
    expect((await facts(b)).edges.find(({ isSelf }) => isSelf)?.viewers).toBe(1);
  });

  test("an edge with another secret stays outside", async () => {
    const [a] = (await startAll("a")) as [TestEdge];
    await published(a);
    const port = await ephemeralPort("udp");
    const text = `${TEST_CONFIG.replace(/(\[udp\]\nhost = "127.0.0.1"\nport = )0/, `$1${port}`)}
[cluster]
id = "stranger"
secret = "another secret of that length"
redis = "${redis.url}"
[lines.main]
address = "127.0.0.1:${port}"`;
    const stranger = await TestEdge.start(text);
    edges.push(stranger);
    await until(async () => (await facts(stranger)).streams.length === 1);
    const events = await stranger.watch(STREAM);
    await until(() => events.some(({ type }) => type === "connected"));
    await Bun.sleep(1500);
    expect(frames(events)).toEqual([]);
    const links = (await (await fetch(`${stranger.api}/api/v1/links`)).json()) as {
      links: { fromEdge: string; isUp: boolean }[];
    };
    expect(links.links.some(({ isUp }) => isUp)).toBe(false);
  });
});
