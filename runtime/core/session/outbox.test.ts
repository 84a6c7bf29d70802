import { expect, test } from "bun:test";
import { createHotPath } from "../../wasm/create.ts";
import { Outbox } from "./outbox.ts";

const HERE = { family: 4, ip: "127.0.0.1", port: 9 } as const;

test("gives datagrams and events in the order they were put in", () => {
  const hot = createHotPath({ memoryMiB: 8 });
  const outbox = new Outbox<string>(hot);
  outbox.send(HERE, Uint8Array.of(1, 2, 3));
  outbox.event("a");
  outbox.send(HERE, Uint8Array.of(4));
  const seen: unknown[] = [];
  for (let out = outbox.poll(); out !== undefined; out = outbox.poll()) {
    seen.push(
      out.kind === "event"
        ? out.event
        : [...hot.bytes.subarray(out.headPtr, out.headPtr + out.headLength)],
    );
  }
  expect(seen).toEqual([[1, 2, 3], "a", [4]]);
});

test("a payload lives until the poll after its datagram", () => {
  const hot = createHotPath({ memoryMiB: 8 });
  const outbox = new Outbox<never>(hot);
  const slot = hot.payloadAlloc(100);
  hot.bytes[outbox.reserve(1)] = 7;
  outbox.commit(HERE, 1, slot);
  hot.payloadRelease(slot);
  expect(hot.payloadBytesUsed()).toBeGreaterThan(0);
  const out = outbox.poll();
  expect(out?.kind === "transmit" && hot.payloadLength(out.slot)).toBe(100);
  expect(outbox.poll()).toBeUndefined();
  expect(hot.payloadBytesUsed()).toBe(0);
});

test("says when it is full and has room again once drained", () => {
  const outbox = new Outbox<never>(createHotPath({ memoryMiB: 8 }));
  const packet = new Uint8Array(1200);
  while (outbox.hasRoom(1200)) outbox.send(HERE, packet);
  const queued = outbox.datagrams;
  outbox.send(HERE, packet);
  expect(outbox.datagrams).toBe(queued);
  while (outbox.poll() !== undefined);
  expect(outbox.hasRoom(1200)).toBe(true);
});
