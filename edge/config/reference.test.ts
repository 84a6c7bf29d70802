import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { loadConfig } from "./load.ts";
import { REFERENCE_HEAD, referenceRows } from "./reference.ts";
import { sections } from "./schema.ts";

const DOC = readFileSync(new URL("../../docs/CONFIG.md", import.meta.url), "utf8");

test.each(Object.keys(sections) as (keyof typeof sections)[])(
  "docs/CONFIG.md says of [%s] what the program does",
  (name) => {
    const rest = DOC.split(new RegExp(`^## \\[${name}`, "m"))[1] ?? "";
    const table = (rest.split(/^## /m)[0] ?? "").split("\n").filter((line) => line.startsWith("|"));
    expect(table).toEqual([...REFERENCE_HEAD.split("\n"), ...referenceRows(name)]);
  },
);

test("every key says what it is for", () => {
  for (const name of Object.keys(sections) as (keyof typeof sections)[]) {
    for (const row of referenceRows(name)) expect(row).not.toContain("undefined");
  }
});

test("the example config passes", () => {
  const file = new URL("../edge.example.toml", import.meta.url).pathname;
  expect(loadConfig(file, {})).toHaveProperty("config");
});
