import { describe, expect, test } from "bun:test";
import {
  formatEdges,
  isLoopback,
  parseHttpListen,
  parsePublishInput,
  parseRate,
  parseShoalUrl,
  parseTargetMs,
  UsageError,
} from "./arguments.ts";

describe("stream URL", () => {
  test("names host, port and stream", () => {
    expect(parseShoalUrl("shoal://edge.example.net:9000/live/a-b_c.d")).toEqual({
      edges: [{ host: "edge.example.net", port: 9000 }],
      stream: "live/a-b_c.d",
    });
  });

  test("has a port of its own when none is written, and takes IPv6 in brackets", () => {
    expect(parseShoalUrl("shoal://[::1]/live/x")).toEqual({
      edges: [{ host: "::1", port: 4935 }],
      stream: "live/x",
    });
  });

  test("may name several edges, to be tried in their order", () => {
    const url = parseShoalUrl("shoal://a.example:1,b.example,[2001:db8::1]:3/live/x");
    expect(url.edges).toEqual([
      { host: "a.example", port: 1 },
      { host: "b.example", port: 4935 },
      { host: "2001:db8::1", port: 3 },
    ]);
    expect(formatEdges(url)).toBe("a.example:1, b.example:4935, [2001:db8::1]:3");
    const many = new Array(9).fill("h").join(",");
    expect(() => parseShoalUrl(`shoal://${many}/live/x`)).toThrow("at most 8");
  });

  for (const wrong of [
    "live/x",
    "http://h/live/x",
    "shoal://h",
    "shoal://h/x",
    "shoal://h/live/",
    "shoal://h/live/a b",
    "shoal://h:0/live/x",
    "shoal://h:99999/live/x",
    "shoal://::1/live/x",
    "shoal://h/live/../x",
    "shoal://h,/live/x",
  ]) {
    test(`refuses ${wrong} in one line`, () => {
      expect(() => parseShoalUrl(wrong)).toThrow(UsageError);
      try {
        parseShoalUrl(wrong);
      } catch (error) {
        expect((error as Error).message).not.toContain("\n");
      }
    });
  }
});

test("a rate is bits per second, given in bytes per second", () => {
  expect(parseRate("2M")).toBe(250_000);
  expect(parseRate("800k")).toBe(100_000);
  expect(parseRate("1.5Mbit/s")).toBe(187_500);
  expect(parseRate("80000")).toBe(10_000);
  for (const wrong of ["", "0", "-1", "fast", "2MB", "1e9"]) {
    expect(() => parseRate(wrong)).toThrow(UsageError);
  }
});

test("the local HTTP stays on this machine unless a host is named", () => {
  expect(parseHttpListen("8080")).toEqual({ host: "127.0.0.1", port: 8080 });
  expect(parseHttpListen("0.0.0.0:80")).toEqual({ host: "0.0.0.0", port: 80 });
  expect(parseHttpListen("[::1]:0")).toEqual({ host: "::1", port: 0 });
  expect(() => parseHttpListen("80800")).toThrow(UsageError);
  expect(() => parseHttpListen("localhost")).toThrow(UsageError);
  expect(isLoopback("127.0.0.1")).toBe(true);
  expect(isLoopback("0.0.0.0")).toBe(false);
});

test("the play-out delay has bounds", () => {
  expect(parseTargetMs("600")).toBe(600);
  expect(() => parseTargetMs("100")).toThrow("300 to 3000");
  expect(() => parseTargetMs("0x500")).toThrow(UsageError);
});

test("a publisher's input is a file, stdin or an RTMP listener", () => {
  expect(parsePublishInput("-")).toEqual({ kind: "stdin" });
  expect(parsePublishInput("a b.mp4")).toEqual({ kind: "file", path: "a b.mp4" });
  expect(parsePublishInput("rtmp://127.0.0.1/live/cam")).toEqual({
    kind: "rtmp",
    host: "127.0.0.1",
    port: 1935,
    app: "live",
    name: "cam",
  });
  expect(() => parsePublishInput("http://x/y")).toThrow(UsageError);
  expect(() => parsePublishInput("rtmp://x/y")).toThrow(UsageError);
});
