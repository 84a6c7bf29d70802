import { expect, test } from "bun:test";
import { encodeDataHead } from "../../wire/packet.ts";
import { PushTree } from "./push-tree.ts";

const EDGE = 0;

function pushed(number: number, phase = 0): Uint8Array {
  const bytes = new Uint8Array(64);
  return bytes.subarray(0, encodeDataHead(bytes, 0, 1, 2, 3, 9, number, 0, 1, phase << 5));
}

test("knows who pushes what to whom, and forgets those who stop", () => {
  const tree = new PushTree(4);
  tree.handleMedia(0, EDGE, 1, pushed(1));
  tree.handleMedia(0, 1, 2, pushed(5));
  tree.handleMedia(0, 3, 2, pushed(6, 1)); /* pulled: no push */
  expect(tree.pusherOf(100, 2, 1)).toBe(1);
  expect(tree.pusherOf(100, 2, 2)).toBe(-1);
  expect([...tree.holders(100, EDGE)]).toEqual([1]);
  expect([...tree.holdersOf(100, 0, EDGE)]).toEqual([]);
  expect(tree.pusherOf(5000, 2, 1)).toBe(-1);
  expect([...tree.holders(5000, EDGE)]).toEqual([]);
});

test("sees a feed by way of two peers as too deep", () => {
  const tree = new PushTree(4);
  tree.handleMedia(0, EDGE, 1, pushed(1));
  tree.handleMedia(0, 1, 2, pushed(1));
  expect(tree.depth(10, EDGE)).toEqual({ feeds: 2, tooDeep: 0 });
  tree.handleMedia(0, 2, 3, pushed(1));
  expect(tree.depth(10, EDGE)).toEqual({ feeds: 3, tooDeep: 1 });
  tree.forget(2);
  expect(tree.depth(10, EDGE)).toEqual({ feeds: 2, tooDeep: 0 });
});
