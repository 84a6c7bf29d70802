import { expect, test } from "bun:test";
import { startLines, uploadLines } from "./watch-lines.ts";

const facts = {
  url: { host: "edge.example", port: 4935, stream: "live/x" },
  edge: "edge.example:4935",
  pageUrl: "http://127.0.0.1:8088/",
  uploadBytesPerSecondMax: Number.POSITIVE_INFINITY,
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

test("says what leaves the machine, and how to stop it", () => {
  expect(uploadLines(Number.POSITIVE_INFINITY).join("\n")).toContain("--consume-only stops that");
  expect(uploadLines(250_000).join("\n")).toContain("at most 2 Mbit/s");
  expect(uploadLines(100_000).join("\n")).toContain("at most 800 kbit/s");
  expect(uploadLines(0).join("\n")).not.toContain("uploads");
});
