import { expect, test } from "bun:test";
import fc from "fast-check";
import { StreamTable } from "./stream-table.ts";

test("a stream table does as a map does, whatever is entered and taken out", () => {
  const index = fc.integer({ min: 1, max: 5 });
  const step = fc.oneof(
    fc.record({ do: fc.constant("set" as const), index, value: fc.nat() }),
    fc.record({ do: fc.constant("delete" as const), index, value: fc.nat() }),
    fc.record({ do: fc.constant("clear" as const), index, value: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const table = new StreamTable<number>();
      const map = new Map<number, number>();
      for (const { do: what, index: at, value } of steps) {
        if (what === "set") {
          table.set(at, value);
          map.set(at, value);
        } else if (what === "delete") expect(table.delete(at)).toBe(map.delete(at));
        else {
          table.clear();
          map.clear();
        }
        for (let i = 0; i <= 6; i++) {
          expect(table.get(i)).toBe(map.get(i));
          expect(table.has(i)).toBe(map.has(i));
        }
        expect([...table.keys()].sort()).toEqual([...map.keys()].sort());
      }
    }),
  );
});
