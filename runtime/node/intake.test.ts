import { beforeEach, describe, expect, test } from "bun:test";
import { ms } from "../base/time.ts";
import { MAX_BODY_BYTES } from "../core/hot-path/hot-path.ts";
import type { Session } from "../core/session/session.ts";
import { createHotPath } from "../wasm/create.ts";
import type { FragmentHeader } from "../wire/packet.ts";
import { FLAG_RESENT, Phase, withPhase } from "../wire/segment.ts";
import { Intake } from "./intake.ts";
import { streamIdOf } from "./stream-id.ts";

const STREAM = { name: "live/a", id: streamIdOf("live/a"), epoch: 1 };
const hot = createHotPath({ memoryMiB: 8 });

describe("an intake", () => {
  let fresh: number[];
  let intake: Intake;

  beforeEach(() => {
    fresh = [];
    intake = new Intake(
      hot,
      STREAM,
      { retainMs: 3000, groupMsMax: 12_000 },
      {
        handleFresh: (_now, _intake, { number }) => fresh.push(number),
        handleWhole: () => {},
      },
    );
  });

  /** A fragment out of the middle of a segment that begins with 90. */
  function come(number: number, flags = 0, begin = 90, from = {} as Session): void {
    const header = { stream: 1, number, index: number - begin, total: 60, flags };
    const place = header as unknown as FragmentHeader;
    const data = new Uint8Array(MAX_BODY_BYTES);
    intake.handleFragment(ms(number), from, place, data, 0, data.length, 0);
  }

  test("tells of what is new, whatever brought it, and counts by phase", () => {
    come(92, withPhase(0, Phase.push));
    come(91, withPhase(0, Phase.pull));
    come(92, withPhase(0, Phase.compensation));
    come(93, withPhase(FLAG_RESENT, Phase.push));
    expect(fresh).toEqual([92, 91, 93]);
    expect(intake.duplicates).toBe(1);
    expect(intake.repaired).toBe(1);
    expect(intake.fragmentsByPhase[Phase.push]).toBe(2);
    expect(intake.fragmentsByPhase[Phase.pull]).toBe(1);
    expect(intake.fragmentsByPhase[Phase.compensation]).toBe(0);
  });

  test("takes no second word on a segment that is not whole: it is lost, not the session", () => {
    come(92);
    come(93, 0, 91);
    expect(intake.refused).toBe(1);
    expect(fresh).toEqual([92]);
  });

  test("believes a leap by a peer when a second fragment says the same", () => {
    const peer = { isReceiverRepaired: true } as Session;
    const leap = (number: number) => come(number, 0, number - (number % 10), peer);
    come(92);
    leap(20_001);
    come(93);
    leap(9001);
    leap(9003);
    leap(9004);
    expect(fresh).toEqual([92, 93, 9003, 9004]);
    expect(intake.refused).toBe(2);
  });

  test("refuses a fragment that is far ahead of all others", () => {
    come(92);
    expect(() => come(92 + (1 << 17), 0, 60 + (1 << 17))).toThrow("ahead");
  });

  test("as a source leaves the run open when the source is closed", () => {
    come(92);
    intake.asSource().close();
    come(94);
    expect(fresh).toEqual([92, 94]);
    expect(intake.asSource().index).toBe(intake.index);
  });
});
