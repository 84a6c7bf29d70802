import { describe, expect, test } from "bun:test";
import { chooseJoin, type JoinQuestion } from "./choose-join.ts";
import { edgeRecord } from "./testing.ts";

const own = edgeRecord("a", { load: 0.95, viewers: 95 });

function ask(more: Partial<JoinQuestion>) {
  const answer = chooseJoin({
    own,
    others: [],
    sent: new Map(),
    above: 0.9,
    isForced: false,
    ...more,
  });
  return answer?.edges.map(({ edgeId }) => edgeId);
}

describe("a join", () => {
  test("stays while there is room", () => {
    const roomy = { ...own, load: 0.89 };
    expect(ask({ own: roomy, others: [edgeRecord("b")] })).toBeUndefined();
  });

  test("goes to the emptiest, and is offered three at most", () => {
    const others = [0.5, 0.1, 0.3, 0.4].map((load, i) => edgeRecord(`b${i}`, { load }));
    expect(ask({ others })).toEqual(["b1", "b2", "b3"]);
  });

  test("stays when the others have hardly more room, unless it cannot", () => {
    const others = [edgeRecord("b", { load: 0.88 }), edgeRecord("c", { load: 0.99 })];
    expect(ask({ others })).toBeUndefined();
    expect(ask({ others, isForced: true })).toEqual(["b", "c"]);
  });

  test("never goes to an edge that is full or going away", () => {
    const others = [edgeRecord("b", { load: 1 }), edgeRecord("c", { isDraining: true })];
    expect(ask({ others, isForced: true })).toBeUndefined();
  });

  test("counts those already sent on their way", () => {
    const others = [edgeRecord("b", { maxViewers: 100 }), edgeRecord("c", { maxViewers: 100 })];
    expect(ask({ others, sent: new Map([["b", 30]]) })).toEqual(["c", "b"]);
    expect(ask({ others, sent: new Map([["b", 90]]) })).toEqual(["c"]);
  });

  test("names the addresses of the edges' first lines, and says why", () => {
    const answer = chooseJoin({
      own,
      others: [edgeRecord("b")],
      sent: new Map(),
      above: 0.9,
      isForced: false,
    });
    expect(answer?.to).toEqual([{ family: 4, ip: "10.0.0.98", port: 4935 }]);
    expect(answer?.why).toBe("a is at 95 %; ask b");
  });
});
