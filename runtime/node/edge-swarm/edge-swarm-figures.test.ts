import { expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import type { EdgeEvent } from "../api.ts";
import type { Outlet } from "../edge/outlet.ts";
import type { EdgeSwarm } from "./edge-swarm.ts";
import { EdgeSwarmFigures } from "./edge-swarm-figures.ts";

function world() {
  const outlet = { name: "live/x", bytesIn: 0, receivers: new Map(), sentBytes: 0 };
  const swarm = {
    superNodeCount: 0,
    slotCount: 3,
    recruits: 4,
    reliefs: 1,
    sessions: [] as Session[],
  };
  const events: EdgeEvent[] = [];
  const figures = new EdgeSwarmFigures(
    Object.assign(swarm, { superNodes: () => swarm.sessions }) as unknown as EdgeSwarm,
    Object.assign(outlet, { sent: () => ({ bytesOut: outlet.sentBytes }) }) as unknown as Outlet,
    (event) => events.push(event),
  );
  return { outlet, swarm, events, figures };
}

test("egress stands against media received times viewers", () => {
  const { outlet, figures } = world();
  for (let i = 0; i < 10; i++) outlet.receivers.set(i, i);
  for (let at = 0; at <= 10_000; at += 250) {
    outlet.bytesIn += 25_000;
    outlet.sentBytes += 12_500;
    figures.tick(ms(at));
  }
  const stats = figures.stats(ms(10_000));
  expect(stats.demandBytes).toBe(41 * 250_000);
  expect(stats.demandKbps).toBeCloseTo(8000, 0);
  expect(stats.egressKbps).toBeCloseTo(400, 0);
});

test("super nodes are told when they come and when they go", () => {
  const { swarm, events, figures } = world();
  const session = { address: { family: 4, ip: "192.0.2.1", port: 7 } } as Session;
  figures.tick(ms(0));
  swarm.sessions = [session];
  figures.tick(ms(250));
  figures.tick(ms(500));
  swarm.sessions = [];
  figures.tick(ms(750));
  const from = "192.0.2.1:7";
  expect(events).toEqual([
    { type: "superNode", stream: "live/x", from, change: "came" },
    { type: "superNode", stream: "live/x", from, change: "went" },
  ]);
});
