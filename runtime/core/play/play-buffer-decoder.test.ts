import { describe, expect, test } from "bun:test";
import { FrameKind } from "../../wire/frame.ts";
import type { SegmentHeader } from "../../wire/segment.ts";
import { DecoderState } from "./play-buffer-decoder.ts";

const picture = (sequence: number, dependsOn: number): SegmentHeader =>
  ({ sequence, dependsOn }) as SegmentHeader;

describe("decoder state", () => {
  test("a frame is damaged when what it needs was lost, damaged, or is long gone", () => {
    const decoder = new DecoderState();
    expect(decoder.isDamaged(picture(1, 0))).toBe(false);
    decoder.remember(1, true);
    decoder.remember(2, false);
    expect(decoder.isDamaged(picture(2, 1))).toBe(false);
    expect(decoder.isDamaged(picture(3, 1))).toBe(true);
    for (let sequence = 3; sequence < 40; sequence++) decoder.remember(sequence, true);
    expect(decoder.isDamaged(picture(40, 39))).toBe(true);
  });

  test("a configuration counts once, until it changes", () => {
    const decoder = new DecoderState();
    expect(decoder.takeHead(FrameKind.metadata, Uint8Array.of(1, 2))).toBe(true);
    expect(decoder.takeHead(FrameKind.metadata, Uint8Array.of(1, 2))).toBe(false);
    expect(decoder.takeHead(FrameKind.metadata, Uint8Array.of(1, 3))).toBe(true);
  });
});
