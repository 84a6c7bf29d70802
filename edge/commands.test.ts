import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { CommandFailure, drain, routes } from "./commands.ts";
import { TestEdge } from "./testing.ts";

let edge: TestEdge;
const lines: string[] = [];
const values: unknown[] = [];
const out = {
  line: (text: string) => lines.push(text),
  json: (value: unknown) => values.push(value),
};

beforeEach(async () => {
  lines.length = 0;
  values.length = 0;
  edge = await TestEdge.start();
});
afterEach(() => edge.stop());

describe("shoal-edge routes", () => {
  test("says of an edge by itself that it is", async () => {
    await routes({ api: edge.api, explain: true }, out, false);
    expect(lines).toEqual(["This edge is by itself: no stream travels to or from another."]);
    await routes({ api: edge.api, explain: false }, out, true);
    expect(values).toEqual([{ self: null, streams: [], routes: [] }]);
  });

  test("tells what to do when no edge answers", async () => {
    const asked = routes({ api: "http://127.0.0.1:1", explain: false }, out, false);
    await expect(asked).rejects.toThrow(CommandFailure);
    await expect(asked).rejects.toThrow("name its operators' listener");
  });
});

describe("shoal-edge drain", () => {
  test("ends an edge that has nobody, and says that there is no other", async () => {
    void edge.program.drained.then(() => edge.program.stop());
    await drain({ api: edge.api, timeoutSeconds: 5 }, out, false);
    expect(lines[0]).toBe("there is no other edge: nobody can be moved");
    expect(lines[1]).toMatch(/^ended after [0-9.]+ s$/);
    expect(await edge.program.drained).toBe("empty");
  }, 20_000);
});
