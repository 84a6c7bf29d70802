import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type WanLink, WanNetwork, type WanNode } from "./network.ts";
import { lossOf, profileWords } from "./profile.ts";

test("a profile tells its mean loss", () => {
  expect(lossOf({ delayMs: 0 })).toBe(0);
  expect(lossOf({ delayMs: 0, loss: 0.2 })).toBe(0.2);
  expect(lossOf({ delayMs: 0, loss: { goodToBad: 0.01, badToGood: 0.3 } })).toBeCloseTo(0.0323, 4);
});

test("a queue holds 150 ms by default", () => {
  expect(profileWords({ delayMs: 1, rateBps: 1e6 }).split(" ")[4]).toBe("18750");
});

const MISSING = WanNetwork.missing();
const about = MISSING === undefined ? "" : ` (needs ${MISSING})`;

/** Sends numbered datagrams from a to b and gives the times they took, ms, by number. */
async function send(a: WanNode, b: WanNode, link: WanLink, count: number, everyMs: number) {
  const clock = `const { monotonicClock } = await import("${import.meta.dir}/../../lib/system-clock.ts");
    const now = monotonicClock();`;
  const sink = b.spawn([
    process.execPath,
    "-e",
    `${clock} const got = [];
    const socket = await Bun.udpSocket({ hostname: "${link.addressB}", port: 7, socket: {
      data: (_s, data) => got.push([Number(data), now()]) } });
    console.log("ready");
    process.stdin.on("end", () => { console.log(JSON.stringify(got)); process.exit(0); }).resume();`,
  ]);
  const lines = sink.stdout.getReader();
  await lines.read();
  const source = a.spawn([
    process.execPath,
    "-e",
    `${clock} const sent = [];
    const socket = await Bun.udpSocket({});
    for (let i = 0; i < ${count}; i++) {
      sent.push(now());
      socket.send(String(i), 7, "${link.addressB}");
      await Bun.sleep(${everyMs});
    }
    console.log(JSON.stringify(sent));
    process.exit(0);`,
  ]);
  const sent = JSON.parse(await new Response(source.stdout).text()) as number[];
  await Bun.sleep(150);
  sink.stdin.end();
  let text = "";
  for (let part = await lines.read(); !part.done; part = await lines.read())
    text += Buffer.from(part.value).toString();
  const got = JSON.parse(text) as [number, number][];
  return got.map(([number, at]) => ({ number, tookMs: at - (sent[number] as number) }));
}

describe.skipIf(MISSING !== undefined)(`links between namespaces${about}`, () => {
  let network: WanNetwork;
  let a: WanNode;
  let b: WanNode;
  let link: WanLink;

  beforeAll(async () => {
    network = await WanNetwork.open();
    a = await network.node("a");
    b = await network.node("b");
    link = await network.link(a, b, { delayMs: 30 }, { seed: 7 });
  });
  afterAll(() => network?.close());

  test("delay by what is asked, no less, and all arrives", async () => {
    await link.reset();
    const came = await send(a, b, link, 20, 2);
    expect(came.length).toBe(20);
    for (const { tookMs } of came) expect(tookMs).toBeGreaterThanOrEqual(30);
    const { forward } = await link.figures();
    expect(forward.packetsIn).toBe(20);
    expect(forward.packetsOut).toBe(20);
    expect(forward.bytesIn).toBe(10 * 29 + 10 * 30);
  });

  test("lose the share that is asked, while programs run, and count it", async () => {
    await link.set({ delayMs: 0, loss: 0.5 }, { delayMs: 0 });
    await link.reset();
    const came = await send(a, b, link, 200, 0);
    const { forward, back } = await link.figures();
    expect(forward.packetsIn).toBe(200);
    expect(forward.packetsLost).toBeGreaterThan(70);
    expect(forward.packetsLost).toBeLessThan(130);
    expect(came.length).toBe(200 - forward.packetsLost);
    expect(back.packetsIn).toBe(0);
  });

  test("reorder under jitter only when told to", async () => {
    await link.set({ delayMs: 0, jitterMs: 20 });
    const inOrder = (await send(a, b, link, 60, 1)).map(({ number }) => number);
    expect(inOrder).toEqual([...inOrder].sort((x, y) => x - y));
    await link.set({ delayMs: 0, jitterMs: 20, reorders: true });
    const mixed = (await send(a, b, link, 60, 1)).map(({ number }) => number);
    expect(mixed.length).toBe(60);
    expect(mixed).not.toEqual([...mixed].sort((x, y) => x - y));
  });

  test("queue before their rate, and drop what finds no room", async () => {
    await link.set({ delayMs: 0, rateBps: 80_000, queueBytes: 600 });
    await link.reset();
    const came = await send(a, b, link, 40, 0);
    const { forward } = await link.figures();
    /* 30 B at 10 kB/s are 3 ms each; a full queue is 60 ms. */
    expect(forward.packetsDropped).toBeGreaterThan(5);
    expect(came.length).toBe(40 - forward.packetsDropped);
    expect(Math.max(...came.map(({ tookMs }) => tookMs))).toBeGreaterThan(45);
  });

  test("several join the same nodes, and a cable", async () => {
    const second = await network.link(a, b, { delayMs: 1 });
    expect(second.addressB).not.toBe(link.addressB);
    expect((await send(a, b, second, 3, 1)).length).toBe(3);
    const { addressA } = network.cable(a, b);
    expect(addressA).not.toBe(second.addressA);
  });

  test("a line it does not understand is an error", async () => {
    await expect(network.node("a")).rejects.toThrow("there already");
  });
});

test.skipIf(MISSING !== undefined)(
  "nothing is left when it is closed, nor of programs in it",
  async () => {
    const network = await WanNetwork.open();
    const node = await network.node("x");
    expect(existsSync(node.namespace)).toBe(true);
    await network.close();
    expect(existsSync(node.namespace)).toBe(false);
  },
);
