import { expect, test } from "bun:test";
import { StreamKeys } from "./stream-keys.ts";

const keys = new StreamKeys([
  { pattern: "live/*", key: "for all of live", open: false, maxViewers: undefined },
  { pattern: "live/news", key: "for the news", open: false, maxViewers: undefined },
  { pattern: "live/news-*", key: "for news rooms", open: false, maxViewers: undefined },
  { pattern: "try/*", key: "", open: true, maxViewers: undefined },
]);

test("the most literal entry decides", () => {
  expect(keys.keyOf("live/news")).toBe("for the news");
  expect(keys.keyOf("live/news-2")).toBe("for news rooms");
  expect(keys.keyOf("live/other")).toBe("for all of live");
});

test("a star stays within one part of the name and stands for something", () => {
  expect(keys.keyOf("live/a/b")).toBeUndefined();
  expect(keys.keyOf("live/")).toBeUndefined();
});

test("a dot is a dot", () => {
  const dotted = new StreamKeys([
    { pattern: "live/a.b", key: "12345678", open: false, maxViewers: undefined },
  ]);
  expect(dotted.keyOf("live/axb")).toBeUndefined();
});

test("an unknown stream, a wrong key and a right one are told apart", () => {
  expect(keys.admits("none/x", "for all of live")).toBe("unknown stream");
  expect(keys.admits("live/x", "for the news")).toBe("wrong key");
  expect(keys.admits("live/x", "for all of live")).toBe("ok");
});

test("an open stream takes any key", () => {
  expect(keys.admits("try/x", "")).toBe("ok");
  expect(keys.admits("try/x", "whatever")).toBe("ok");
});
