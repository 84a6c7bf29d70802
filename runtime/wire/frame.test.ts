import { expect, test } from "bun:test";
import { FrameKind, flvTagType } from "./frame.ts";

test("each kind of frame has its FLV tag type", () => {
  const types = Object.entries(FrameKind).map(([name, kind]) => [name, flvTagType(kind)]);
  expect(Object.fromEntries(types)).toEqual({
    audioConfig: 8,
    videoConfig: 9,
    metadata: 18,
    audio: 8,
    key: 9,
    inter: 9,
    disposable: 9,
  });
});
