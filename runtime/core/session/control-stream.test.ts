import { expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolViolation } from "../../base/errors.ts";
import { Prng } from "../../base/prng.ts";
import { ms } from "../../base/time.ts";
import {
  CONTROL_CHUNK_BYTES,
  CONTROL_RECEIVE_BYTES_MAX,
  CONTROL_SEND_BYTES_MAX,
  ControlStream,
} from "./control-stream.ts";

function bytesOf(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  new Prng(seed).fill(bytes);
  return bytes;
}

test("delivers every byte once and in order over a link that loses, doubles and reorders", () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(fc.integer({ min: 1, max: 4000 })), (seed, sizes) => {
      const random = new Prng(seed);
      const [sender, receiver] = [new ControlStream(), new ControlStream()];
      const [sent, received]: [number[], number[]] = [[], []];
      for (const [i, size] of sizes.entries()) {
        const bytes = bytesOf(size, i);
        if (!sender.write(bytes)) break;
        sent.push(...bytes);
      }
      const wire: { offset: number; bytes: Uint8Array }[] = [];
      for (let round = 0; round < 10_000 && !(sender.isSettled && wire.length === 0); round++) {
        const chunk = sender.nextChunk(ms(0));
        if (chunk !== undefined && random.next() < 0.3) sender.handleLost(chunk.offset);
        else if (chunk !== undefined) wire.push(chunk);
        if (wire.length === 0 || random.next() < 0.5) continue;
        const at = random.below(wire.length);
        const arrived = wire[at] as (typeof wire)[number];
        if (random.next() < 0.8) wire.splice(at, 1);
        receiver.receive(arrived.offset, arrived.bytes, (piece) => received.push(...piece));
        sender.handleAcked(arrived.offset);
      }
      expect(received).toEqual(sent);
      expect(sender.isSettled).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test("takes no more than it may keep unacknowledged", () => {
  const stream = new ControlStream();
  expect(stream.write(new Uint8Array(CONTROL_SEND_BYTES_MAX))).toBe(true);
  expect(stream.write(new Uint8Array(1))).toBe(false);
  const chunk = stream.nextChunk(ms(0));
  expect(chunk?.bytes.length).toBe(CONTROL_CHUNK_BYTES);
  stream.handleAcked(chunk?.offset ?? -1);
  expect(stream.write(new Uint8Array(1))).toBe(true);
});

test("a chunk acknowledged while it waits to be sent again is not sent again", () => {
  const stream = new ControlStream();
  stream.write(new Uint8Array(10));
  const chunk = stream.nextChunk(ms(0));
  stream.handleLost(chunk?.offset ?? -1);
  expect(stream.hasUnsent).toBe(true);
  stream.handleAcked(chunk?.offset ?? -1);
  expect(stream.hasUnsent).toBe(false);
  expect(stream.isSettled).toBe(true);
});

test("bytes far ahead of a hole are a violation", () => {
  const stream = new ControlStream();
  const far = () => stream.receive(CONTROL_RECEIVE_BYTES_MAX, new Uint8Array(1), () => {});
  expect(far).toThrow(ProtocolViolation);
});

test("what nobody acknowledges is sent again by time, ever more slowly", () => {
  const stream = new ControlStream();
  stream.write(new Uint8Array(10));
  stream.nextChunk(ms(1000));
  expect(stream.resendAt(200)).toBe(ms(1200));
  stream.handleTimeout(ms(1199), 200);
  expect(stream.hasUnsent).toBe(false);
  stream.handleTimeout(ms(1200), 200);
  stream.nextChunk(ms(1200));
  expect(stream.resendAt(200)).toBe(ms(1600));
});
