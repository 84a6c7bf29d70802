import { expect, test } from "bun:test";
import { startLines, uploadLines } from "./watch-lines.ts";

const facts = {
  url: { edges: [{ host: "edge.example", port: 4935 }], stream: "live/x" },
  edge: "edge.example:4935",
  pageUrl: "http://127.0.0.1:8088/",
  uploadBytesPerSecondMax: Number.POSITIVE_INFINITY,
  metered: false,
};

test("tells how to open the stream in a browser and in players", () => {
  const text = startLines({ ...facts, listenHost: "127.0.0.1" }).join("\n");
  for (const part of ["http://127.0.0.1:8088/\n", "mpv ", "ffplay ", "vlc ", "8088/live/x.flv"]) {
    expect(text).toContain(part);
  }
  expect(text).not.toContain("not only you");
});

test("says so when others can reach the local HTTP", () => {
  expect(startLines({ ...facts, listenHost: "0.0.0.0" }).join("\n")).toContain("not only you");
});

test("says what leaves the machine, who sees its address, and how to stop it", () => {
  const text = (uploadBytesPerSecondMax: number, metered = false) =>
    uploadLines({ uploadBytesPerSecondMax, metered }).join("\n");
  expect(text(Number.POSITIVE_INFINITY)).toContain("feeds other viewers");
  expect(text(Number.POSITIVE_INFINITY)).toContain("--consume-only uploads nothing");
  expect(text(250_000)).toContain("at most 2 Mbit/s");
  expect(text(100_000)).toContain("at most 800 kbit/s");
  expect(text(0)).toContain("none (--consume-only)");
  expect(text(0, true)).toContain("none (--metered)");
  for (const cap of [0, 1e6]) expect(text(cap)).toContain("see your address");
});
