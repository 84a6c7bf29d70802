import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { LinkReport } from "../../runtime/node/mesh/mesh-api.ts";
import { chooseSource, type SourceQuestion } from "./choose-source.ts";
import { edgeRecord } from "./testing.ts";

const S = "live/x";

function link(toEdgeId: string, rttMs: number, isUp = true): LinkReport {
  const lines = { fromLineId: "main", toLineId: "main", toEdgeId };
  return { ...lines, rttMs, jitterMs: 0, loss: 0, usableKbps: 1, usedKbps: 0, isUp };
}

function ask(more: Partial<SourceQuestion>): string {
  const question = { stream: S, ownId: "m", originId: "z", others: [], links: [] };
  return chooseSource({ ...question, current: undefined, ...more });
}

const origin = edgeRecord("z");
const tired = edgeRecord("z", { load: 0.95 });
const holders = [edgeRecord("b", { fetching: [S] }), edgeRecord("c", { fetching: [S] })];

describe("a stream", () => {
  test("comes from where it is published", () => {
    expect(ask({ others: [origin, ...holders] })).toBe("z");
    expect(ask({})).toBe("z");
  });

  test("comes from the nearest that has it when its origin is near its limits", () => {
    const links = [link("z", 10), link("b", 40), link("c", 20)];
    expect(ask({ others: [tired, ...holders], links })).toBe("c");
  });

  test("comes from another when its origin cannot be reached", () => {
    const links = [link("z", 0, false), link("b", 40), link("c", 20, false)];
    expect(ask({ others: [origin, ...holders], links })).toBe("b");
  });

  test("stays where it is while that will do, and goes back when it will not", () => {
    const others = [{ ...tired, load: 0.5 }, ...holders];
    expect(ask({ others, current: "b" })).toBe("b");
    expect(ask({ others: [others[0] as typeof tired], current: "b" })).toBe("z");
  });

  test("is never asked of one that has it not, goes away, or has a greater name", () => {
    const unfit = [
      edgeRecord("b"),
      edgeRecord("c", { fetching: [S], isDraining: true }),
      edgeRecord("n", { fetching: [S] }),
    ];
    expect(ask({ others: [tired, ...unfit] })).toBe("z");
  });

  test("never goes round in a circle, whatever each edge believes of the others", () => {
    const ids = ["a", "b", "c", "d", "e"];
    const beliefs = fc.array(
      fc.record({
        load: fc.double({ min: 0, max: 1, noNaN: true }),
        has: fc.boolean(),
        up: fc.boolean(),
      }),
      { minLength: 25, maxLength: 25 },
    );
    fc.assert(
      fc.property(beliefs, fc.constantFrom(...ids), (belief, originId) => {
        const next = new Map<string, string>();
        for (const [i, ownId] of ids.entries()) {
          if (ownId === originId) continue;
          const seen = ids.map((id, j) => ({ id, ...(belief[i * 5 + j] as (typeof belief)[0]) }));
          const others = seen
            .filter(({ id }) => id !== ownId)
            .map(({ id, load, has }) => edgeRecord(id, { load, fetching: has ? [S] : [] }));
          const links = seen.map(({ id, up }) => link(id, 10, up));
          const question = { stream: S, ownId, originId, others, links, current: undefined };
          next.set(ownId, chooseSource(question));
        }
        for (const id of ids) {
          let at: string | undefined = id;
          for (let hops = 0; at !== undefined && at !== originId; hops++) {
            expect(hops).toBeLessThan(ids.length);
            at = next.get(at);
          }
        }
      }),
    );
  });
});
