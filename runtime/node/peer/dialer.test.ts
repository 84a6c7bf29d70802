import { expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { ms, NEVER } from "../../base/time.ts";
import { Uplink } from "../../core/sending/uplink.ts";
import type { ConnectResult } from "../../core/session/connector.ts";
import { NodeContext } from "../../core/session/node-context.ts";
import { Outbox } from "../../core/session/outbox.ts";
import { silentHost as host } from "../../core/testing/silent-host.ts";
import { createHotPath } from "../../wasm/create.ts";
import type { PeerRef } from "../../wire/swarm.ts";
import { Dialer } from "./dialer.ts";

function setUp() {
  const hot = createHotPath({ memoryMiB: 4 });
  const uplink = new Uplink({ rateBpsInitial: 1e6, rateBpsMax: 1e6 });
  const outbox = new Outbox<never>(hot);
  const dialer = new Dialer(new NodeContext(hot, new Prng(1), outbox, uplink), host);
  const results: ConnectResult[] = [];
  const dial = (at: number, node: number): void => {
    const ref: PeerRef = {
      node: new Uint8Array(8).fill(node),
      ticket: new Uint8Array(16),
      region: 0,
      addresses: [{ family: 4, ip: "10.0.0.1", port: node }],
    };
    const params = { role: "peer", stream: "live/a", agent: "a", node: ref.node } as const;
    dialer.dial(ms(at), ref, params, (_now, result) => results.push(result));
  };
  const sent = (): number => {
    let count = 0;
    while (outbox.poll() !== undefined) count++;
    return count;
  };
  return { dialer, results, dial, sent };
}

test("tries each node once at a time, a few times, and then tells that it was in vain", () => {
  const { dialer, results, dial, sent } = setUp();
  dial(0, 1);
  dial(10, 2);
  dial(20, 1); /* instead of the first */
  expect(dialer.size).toBe(2);
  expect(sent()).toBe(3);
  for (let at = dialer.nextTimeout(); at !== NEVER; at = dialer.nextTimeout()) {
    dialer.handleTimeout(at);
  }
  expect(sent()).toBe(4);
  expect(results.map(({ type }) => type)).toEqual(["refused", "refused"]);
  expect(dialer.size).toBe(0);
});

test("heeds no answers to others, and nothing after it was closed", () => {
  const { dialer, results, dial } = setUp();
  dial(0, 1);
  expect(
    dialer.handleDatagram(ms(5), { family: 4, ip: "10.0.0.1", port: 1 }, new Uint8Array(40)),
  ).toBe(false);
  dialer.close();
  expect(dialer.size).toBe(0);
  expect(dialer.nextTimeout()).toBe(NEVER);
  expect(results).toEqual([]);
});
