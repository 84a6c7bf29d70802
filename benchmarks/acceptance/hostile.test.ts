/** Readers that stop reading and bytes that mean nothing: they cost others nothing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { TestProgram } from "../../client-node/testing/programs.ts";
import { Prng } from "../../runtime/base/prng.ts";
import { Bystander, FlvTap } from "./testing/flv-tap.ts";
import { syntheticClip } from "./testing/synthetic-clip.ts";
import { CLIP, until, World } from "./testing/world.ts";

const SLOW_MS = 60_000;
/** Frames of the bystander watched after each attack. */
const WATCHED = 140;
/** 1,400 B is more than any datagram of the protocol. */
const DATAGRAM_BYTES_MAX = 1_400;
const DATAGRAMS = 3_000;

describe("against an edge and a viewer that play,", () => {
  const world = new World();
  const random = new Prng(11);
  let edge: TestProgram;
  let viewer: TestProgram;
  let page = "";
  let bystander: Bystander;

  beforeAll(async () => {
    edge = await world.edge();
    const url = world.url("live/steady");
    world.publish(CLIP, url, "--loop");
    ({ viewer, page } = await world.watch(url));
    bystander = await Bystander.watch(`${page}live/steady.flv`, CLIP);
  }, SLOW_MS);
  afterAll(() => world.stop());

  function attack(name: string, body: () => Promise<void>): void {
    const shown = () =>
      world.shown(async () => {
        await body();
        expect(await bystander.departure(WATCHED)).toBeUndefined();
        expect(viewer.figures).toMatchObject({ framesSkipped: 0, framesDamaged: 0 });
        expect([edge.exit, viewer.exit]).toEqual([undefined, undefined]);
        expect(edge.lines.filter((line) => line.includes("internal error"))).toEqual([]);
      });
    test(name, shown, SLOW_MS);
  }

  /** An HTTP client that asks and then takes nothing. */
  function stuckReader(url: string): Socket {
    const { hostname, port, pathname } = new URL(url);
    const socket = connect(Number(port), hostname);
    world.onStop(() => socket.destroy());
    socket.on("error", () => undefined);
    socket.pause();
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
    return socket;
  }

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`${world.api}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  }

  attack("readers of HTTP-FLV that stop reading are bounded and cut", async () => {
    const clip = { seconds: 4, framesPerSecond: 25, groupFrames: 25, frameBytes: 100_000 };
    const heavy = join(await world.folder(), "heavy.flv");
    await Bun.write(heavy, syntheticClip(clip)); /* 20 Mbit/s */
    const url = world.url("live/heavy");
    const publisher = world.publish(heavy, url, "--loop");
    const other = await world.watch(url);
    const quick = await FlvTap.open(`${other.page}live/heavy.flv`);
    const cutBefore = await metric("shoal_edge_http_readers_cut_total");
    stuckReader(`${world.http}/live/heavy.flv`);
    stuckReader(`${other.page}live/heavy.flv`);
    await until("the edge to cut its reader", async () => {
      return (await metric("shoal_edge_http_readers_cut_total")) > cutBefore;
    });
    await until("bytes that wait for the viewer's reader", () => {
      return Number(other.viewer.figures?.["readersQueuedBytes"]) > 0;
    });
    await quick.more(50);
    await until("the viewer to cut its reader", () => other.viewer.figures?.["readers"] === 1);
    const waiting = other.viewer.lines
      .filter((line) => line.startsWith("{"))
      .map((line) => Number(JSON.parse(line)["readersQueuedBytes"]));
    expect(Math.max(...waiting)).toBeLessThan(4 << 20);
    expect(quick.isOver).toBe(false);
    for (const { child } of [publisher, other.viewer]) child.signal("SIGKILL");
  });

  attack("random and half-right datagrams thrown at the edge are refused", async () => {
    const refusedBefore = await metric("shoal_edge_refused_datagrams_total");
    const socket = await Bun.udpSocket({ hostname: "127.0.0.1" });
    world.onStop(() => socket.close());
    for (let i = 0; i < DATAGRAMS; i++) {
      const bytes = new Uint8Array(random.below(DATAGRAM_BYTES_MAX) + 1);
      random.fill(bytes);
      if (i % 2 === 0) bytes[0] = random.below(0x20); /* a type of the protocol */
      if (i % 4 === 0) bytes.set([1, 0x53, 0x48, 0x4f, 0x41].slice(0, bytes.length)); /* HELLO */
      socket.send(bytes, world.ports.udp, "127.0.0.1");
      if (i % 50 === 0) await Bun.sleep(1);
    }
    await until("the edge to have seen them", async () => {
      const refused = await metric("shoal_edge_refused_datagrams_total");
      return refused - refusedBefore > DATAGRAMS / 4;
    });
  });

  attack("garbage at the RTMP port closes that connection alone", async () => {
    for (const first of [
      [],
      [3],
      [3, ...new Array(1536).fill(0)],
      [...Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    ]) {
      const garbage = new Uint8Array(20_000);
      random.fill(garbage);
      garbage.set(first);
      const socket = connect(world.ports.rtmp, "127.0.0.1");
      world.onStop(() => socket.destroy());
      socket.on("error", () => undefined);
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      socket.resume();
      socket.write(garbage);
      await closed;
    }
  });
});
