import { expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import { Judgement } from "../edge-swarm/compensation.ts";
import { UploadGate } from "./upload-gate.ts";

function judged(isLimited: boolean, rateBps: number, uploadBps: number): Judgement {
  const gate = new UploadGate({ isLimited, rateBps }, { bytesPerSecond: () => uploadBps / 8 }, 0.8);
  return gate.judge(ms(0));
}

test("answers while less than its share of the measured uplink is used, and refuses beyond", () => {
  expect(judged(true, 1_000_000, 790_000)).toBe(Judgement.serve);
  expect(judged(true, 1_000_000, 810_000)).toBe(Judgement.refuse);
});

test("answers as long as nothing is known of the uplink", () => {
  expect(judged(false, 0, 5_000_000)).toBe(Judgement.serve);
});
