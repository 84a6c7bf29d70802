import { describe, expect, test } from "bun:test";
import { serialDiff } from "../../base/serial.ts";
import { ms } from "../../base/time.ts";
import { createHotPath } from "../../wasm/create.ts";
import { FrameKind } from "../../wire/frame.ts";
import { flagPhase, Phase } from "../../wire/segment.ts";
import { streamIdOf } from "../stream-id.ts";
import { OwnStream } from "./own-stream.ts";

const STREAM = { name: "live/a", id: streamIdOf("live/a"), epoch: 1 };
const RETENTION = { retainMs: 1000, groupMsMax: 12_000 };
const hot = createHotPath({ memoryMiB: 8 });

/** A frame each 40 ms, a key frame each ten. */
function push(own: OwnStream, from: number, count: number): number {
  let fragments = 0;
  for (let i = from; i < from + count; i++) {
    const kind = i % 10 === 0 ? FrameKind.key : FrameKind.inter;
    const frame = { kind, dtsMs: i * 40, ptsOffsetMs: 0, body: new Uint8Array(3000).fill(i) };
    for (const { total } of own.push(ms(i * 40), frame)) fragments += total;
  }
  return fragments;
}

describe("a stream of our own", () => {
  test("is cut, numbered without gaps, and kept", () => {
    const own = new OwnStream(hot, STREAM, RETENTION);
    const first = own.index.next();
    const fragments = push(own, 0, 10);
    expect(fragments).toBe(30);
    expect(serialDiff(own.index.next(), first)).toBe(fragments);
    expect(own.clock.ready).toBe(true);
    own.close();
  });

  test("gives a late joiner the current group, marked as that", () => {
    const own = new OwnStream(hot, STREAM, RETENTION);
    push(own, 0, 15);
    const group = [...own.currentGroup()];
    expect(group.length).toBe(5);
    expect(group[0]?.first).toBe(own.index.groupStart());
    expect(group.every(({ flags }) => flagPhase(flags) === Phase.start)).toBe(true);
    own.close();
  });

  test("forgets what is older than it must keep, and gives its memory back", () => {
    const before = hot.payloadBytesUsed();
    const own = new OwnStream(hot, STREAM, RETENTION);
    push(own, 0, 50);
    const used = hot.payloadBytesUsed() - before;
    push(own, 50, 200);
    expect(hot.payloadBytesUsed() - before).toBeLessThan(used * 1.5);
    own.close();
    expect(hot.payloadBytesUsed()).toBe(before);
  });
});
