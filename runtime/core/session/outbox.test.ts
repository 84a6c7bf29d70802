import { expect, test } from "bun:test";
import { createHotPath } from "../../wasm/create.ts";
import { Fan } from "../hot-path/hot-path.ts";
import { Outbox } from "./outbox.ts";
import { Cargo } from "./train.ts";

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

/** Three payloads on a train of two, between a datagram and an event. */
function boxWithTrain() {
  const hot = createHotPath({ memoryMiB: 8 });
  const outbox = new Outbox<string>(hot);
  const cargo = new Cargo();
  for (const length of [300, 200, 100]) {
    const slot = hot.payloadAlloc(length);
    cargo.add(hot, slot);
    hot.payloadRelease(slot);
  }
  outbox.hold(cargo);
  outbox.send(HERE, Uint8Array.of(1));
  const at = outbox.reserve(2 * Fan.headBytes);
  hot.bytes.fill(7, at, at + Fan.headBytes);
  hot.bytes.fill(8, at + Fan.headBytes, at + 2 * Fan.headBytes);
  outbox.commitTrain(HERE, 2, 0b101, cargo, 2 * Fan.headBytes + 400, 1);
  outbox.event("after");
  return { hot, outbox };
}

test("a train comes as a whole to those who ask for it, in its turn", () => {
  const { hot, outbox } = boxWithTrain();
  expect(outbox.datagrams).toBe(3);
  expect(outbox.pollTrain()).toBeUndefined();
  expect(outbox.poll()).toMatchObject({ kind: "transmit", headLength: 1 });
  const train = outbox.pollTrain();
  expect(train).toMatchObject({ to: HERE, line: 1, bits: 0b101 });
  expect(hot.bytes[train?.headPtr ?? 0]).toBe(7);
  expect(outbox.pollTrain()).toBeUndefined();
  expect(outbox.poll()).toEqual({ kind: "event", event: "after" });
  expect(hot.payloadBytesUsed()).toBeGreaterThan(0);
  expect(outbox.poll()).toBeUndefined();
  expect(hot.payloadBytesUsed()).toBe(0);
  expect(outbox.isEmpty).toBe(true);
});

test("and as its datagrams to all others", () => {
  const { hot, outbox } = boxWithTrain();
  outbox.poll();
  const seen: unknown[] = [];
  for (let out = outbox.poll(); out !== undefined; out = outbox.poll()) {
    if (out.kind === "event") seen.push(out.event);
    else seen.push([out.to, out.line, hot.bytes[out.headPtr], hot.payloadLength(out.slot)]);
  }
  expect(seen).toEqual([[HERE, 1, 7, 300], [HERE, 1, 8, 100], "after"]);
  expect(hot.payloadBytesUsed()).toBe(0);
});
