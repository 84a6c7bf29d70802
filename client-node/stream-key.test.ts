import { expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readStreamKey } from "./stream-key.ts";

test("comes from the command line, else from the environment, else is empty", async () => {
  expect(await readStreamKey({ key: "a" }, { SHOAL_KEY: "b" })).toBe("a");
  expect(await readStreamKey({}, { SHOAL_KEY: "b" })).toBe("b");
  expect(await readStreamKey({}, {})).toBe("");
});

test("comes from a file's first line, without its line end", async () => {
  const folder = await mkdtemp(join(tmpdir(), "shoal-key-"));
  try {
    const keyFile = join(folder, "key");
    await writeFile(keyFile, "correct horse\r\nnot this\n");
    expect(await readStreamKey({ keyFile }, { SHOAL_KEY: "b" })).toBe("correct horse");
    await writeFile(keyFile, "\nnot this\n");
    expect(readStreamKey({ keyFile }, {})).rejects.toThrow("no key in its first line");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("is refused when it can't be told which one is meant", () => {
  expect(readStreamKey({ key: "a", keyFile: "b" }, {})).rejects.toThrow("contradict each other");
  expect(readStreamKey({ keyFile: "/nonexistent" }, {})).rejects.toThrow("ENOENT");
});
