import { expect, test } from "bun:test";
import { ms, NEVER } from "../../base/time.ts";
import { AckTiming } from "./session-ack.ts";
import { ACK_FAST, ACK_PEER, ACK_REPEAT_FOR_MS } from "./session-types.ts";

test("waits after the first packet, not after a number of them, not on a gap, not for long with control", () => {
  const timing = new AckTiming(ACK_PEER);
  expect(timing.dueAt).toBe(NEVER);
  timing.handleFresh(ms(100), false, 1, false);
  expect(timing.dueAt).toBe(ms(100 + ACK_PEER.delayMs));
  timing.handleFresh(ms(110), false, 2, true);
  expect(timing.dueAt).toBe(ms(110 + ACK_FAST.delayMs));
  timing.handleFresh(ms(111), false, ACK_PEER.everyPackets, false);
  expect(timing.dueAt).toBe(ms(111));
  timing.handleSent(ms(111));
  expect(timing.dueAt).toBe(NEVER);
  timing.handleFresh(ms(112), true, 1, false);
  expect(timing.dueAt).toBe(ms(112));
});

test("acknowledges again what came again", () => {
  const timing = new AckTiming(ACK_FAST);
  timing.handleOld(ms(50));
  expect(timing.dueAt).toBe(ms(50 + ACK_FAST.delayMs));
});

test("says an ACK twice for a while after a gap, where the sender repairs", () => {
  const timing = new AckTiming(ACK_FAST);
  timing.handleFresh(ms(0), true, 1, false);
  timing.handleSent(ms(0));
  expect(timing.dueAt).toBe(ms(ACK_FAST.delayMs));
  timing.handleSent(timing.dueAt);
  expect(timing.dueAt).toBe(NEVER);
  const later = ms(ACK_REPEAT_FOR_MS);
  timing.handleFresh(later, false, 1, false);
  timing.handleSent(later);
  expect(timing.dueAt).toBe(NEVER);
  const peer = new AckTiming(ACK_PEER);
  peer.handleFresh(ms(0), true, 1, false);
  peer.handleSent(ms(0));
  expect(peer.dueAt).toBe(NEVER);
});
