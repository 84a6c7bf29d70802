import { expect, test } from "bun:test";
import { ms, NEVER } from "../../base/time.ts";
import { AckTiming } from "./session-ack.ts";
import { ACK_FAST, ACK_HASTE_MS, ACK_PEER, ACK_VIEWER } from "./session-types.ts";

test("waits after the first packet, not after a number of them, not for long with control", () => {
  const timing = new AckTiming(ACK_PEER);
  expect(timing.ackDueAt).toBe(NEVER);
  timing.noteFresh(ms(100), false, 1, false);
  expect(timing.ackDueAt).toBe(ms(100 + ACK_PEER.delayMs));
  timing.noteFresh(ms(110), false, 2, true);
  expect(timing.ackDueAt).toBe(ms(110 + ACK_FAST.delayMs));
  timing.noteFresh(ms(111), false, ACK_PEER.everyPackets, false);
  expect(timing.ackDueAt).toBe(ms(111));
  timing.noteAckSent(ms(111));
  expect(timing.ackDueAt).toBe(NEVER);
});

test("hurries with a gap where the sender repairs, not where the receiver does", () => {
  const fast = new AckTiming(ACK_FAST);
  fast.noteFresh(ms(112), true, 1, false);
  expect(fast.ackDueAt).toBe(ms(112));
  const peer = new AckTiming(ACK_PEER);
  peer.noteFresh(ms(112), true, 1, false);
  expect(peer.ackDueAt).toBe(ms(112 + ACK_PEER.delayMs));
});

test("hurries when asked to, not more often than is worth it, and never without news", () => {
  const timing = new AckTiming(ACK_PEER);
  timing.hastenAck(ms(900));
  expect(timing.ackDueAt).toBe(NEVER);
  timing.noteFresh(ms(1000), false, 1, false);
  timing.hastenAck(ms(1000));
  expect(timing.ackDueAt).toBe(ms(1000));
  timing.noteAckSent(ms(1000));
  timing.noteFresh(ms(1100), false, 1, false);
  timing.hastenAck(ms(1100));
  expect(timing.ackDueAt).toBe(ms(1000 + ACK_HASTE_MS));
});

test("feedback waits for an ACK, the latest of it, until the earliest time that was asked for", () => {
  const timing = new AckTiming(ACK_PEER);
  const entry = { playOutOffsetMs: 800, uncertaintyMs: 5, next: 7, bytesPerSecond: 100_000 };
  timing.holdFeedback(ms(300), [{ stream: 1, ...entry }]);
  timing.holdFeedback(ms(500), [{ stream: 2, ...entry }]);
  expect(timing.feedbackDueAt).toBe(ms(300));
  expect(timing.takeFeedback()).toEqual([{ stream: 2, ...entry }]);
  expect([timing.feedbackDueAt, timing.takeFeedback()]).toEqual([NEVER, []]);
});

test("acknowledges again what came again", () => {
  const timing = new AckTiming(ACK_FAST);
  timing.noteOld(ms(50));
  expect(timing.ackDueAt).toBe(ms(50 + ACK_FAST.delayMs));
});

test("says an ACK twice for a while after a gap, where the sender repairs", () => {
  const timing = new AckTiming(ACK_FAST);
  timing.noteFresh(ms(0), true, 1, false);
  timing.noteAckSent(ms(0));
  expect(timing.ackDueAt).toBe(ms(ACK_FAST.delayMs));
  timing.noteAckSent(timing.ackDueAt);
  expect(timing.ackDueAt).toBe(NEVER);
  const later = ms(ACK_FAST.repeatForMs);
  timing.noteFresh(later, false, 1, false);
  timing.noteAckSent(later);
  expect(timing.ackDueAt).toBe(NEVER);
  const peer = new AckTiming(ACK_PEER);
  peer.noteFresh(ms(0), true, 1, false);
  peer.noteAckSent(peer.ackDueAt);
  expect(peer.ackDueAt).toBe(NEVER);
});

test("of a viewer to its edge are repeated for a shorter while", () => {
  const viewer = new AckTiming(ACK_VIEWER);
  viewer.noteFresh(ms(0), true, 1, false);
  viewer.noteAckSent(ms(0));
  expect(viewer.ackDueAt).toBe(ms(ACK_VIEWER.delayMs));
  const later = ms(ACK_VIEWER.repeatForMs);
  viewer.noteFresh(later, false, 1, false);
  viewer.noteAckSent(later);
  expect(viewer.ackDueAt).toBe(NEVER);
});
