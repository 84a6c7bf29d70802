import { expect, test } from "bun:test";
import type { LinkEvent } from "../runtime/node/api.ts";
import { LinkLines, QUIET_MS } from "./link-lines.ts";

function setUp() {
  const lines: string[] = [];
  return { lines, link: new LinkLines("edge.example:4935", 0, (line) => lines.push(line)) };
}

const timeout: LinkEvent = {
  type: "refused",
  reason: "timeout",
  detail: "",
  retryMs: 250,
  final: false,
};

test("an edge that does not answer gives one line every few seconds", () => {
  const { lines, link } = setUp();
  for (let now = 0; now <= 3 * QUIET_MS; now += 500) {
    link.handle(timeout, now);
    link.handleTimeout(now);
  }
  expect(lines).toEqual(Array(3).fill("no answer from edge.example:4935 (UDP); still trying"));
});

test("each change is told at once", () => {
  const { lines, link } = setUp();
  const to = { family: 4, ip: "192.0.2.1", port: 4935 } as const;
  link.handle({ type: "connected", to, rttMs: 12.34 }, 100);
  link.handleTimeout(60_000);
  link.handle({ type: "disconnected", reason: "shutting down", detail: "", final: false }, 60_001);
  link.handle(
    { type: "refused", reason: "overloaded", detail: "full", retryMs: 1, final: false },
    60_002,
  );
  link.handle({ type: "connected", to, rttMs: 1 }, 60_003);
  expect(lines).toEqual([
    "connected to 192.0.2.1:4935",
    "lost the edge edge.example:4935: shutting down; trying again",
    "edge.example:4935 refuses: overloaded (full); trying again",
    "connected to 192.0.2.1:4935",
  ]);
});

test("what is final promises no further attempt", () => {
  const { lines, link } = setUp();
  link.handle({ type: "refused", reason: "wrong key", detail: "", retryMs: 0, final: true }, 1);
  expect(lines).toEqual(["edge.example:4935 refuses: wrong key"]);
});
