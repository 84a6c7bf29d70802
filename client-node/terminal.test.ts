import { expect, test } from "bun:test";
import { Terminal } from "./terminal.ts";

function setUp(json: boolean, isTTY: boolean) {
  let out = "";
  let err = "";
  const terminal = new Terminal({
    json,
    out: { isTTY, columns: 40, write: (text) => (out += text) },
    err: { write: (text) => (err += text) },
  });
  return { terminal, out: () => out, err: () => err };
}

test("on a terminal the live line is written over, and cleared before anything else", () => {
  const { terminal, out, err } = setUp(false, true);
  terminal.live("a".repeat(100));
  terminal.live("b");
  terminal.line("connected");
  terminal.live("c");
  terminal.error("trouble");
  const clear = "\r\x1b[2K";
  expect(out()).toBe(`${clear}${"a".repeat(39)}${clear}b${clear}connected\n${clear}c${clear}`);
  expect(err()).toBe("shoal: trouble\n");
});

test("in a pipe there are lines only", () => {
  const { terminal, out } = setUp(false, false);
  terminal.live("a");
  terminal.line("b");
  terminal.figures({ c: 1 });
  expect(out()).toBe("b\n");
});

test("with --json standard output carries JSON alone", () => {
  const { terminal, out, err } = setUp(true, true);
  terminal.live("a");
  terminal.line("b");
  terminal.figures({ c: 1 });
  expect(out()).toBe('{"c":1}\n');
  expect(err()).toBe("b\n");
});
