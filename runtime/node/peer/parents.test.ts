import { beforeEach, describe, expect, test } from "bun:test";
import { ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import type { PeerRef } from "../../wire/swarm.ts";
import { nodeKey } from "../edge-swarm/member.ts";
import { createSwarmParams } from "../swarm-params.ts";
import type { Neighbour } from "./neighbours.ts";
import { Parents } from "./parents.ts";

const PARAMS = createSwarmParams({ subStreams: 4, parentDeadMs: 500, parentConnectMs: 400 });
const REF = refOf(1);
const KEY = nodeKey(REF.node);
const SESSION = { name: "parent" } as unknown as Session;

function refOf(id: number): PeerRef {
  return { node: new Uint8Array(8).fill(id), ticket: new Uint8Array(), region: 0, addresses: [] };
}

describe("parents", () => {
  let said: unknown[];
  let known: Map<string, Neighbour>;
  let parents: Parents;

  beforeEach(() => {
    said = [];
    known = new Map();
    parents = new Parents(PARAMS, {
      neighbour: (key) => known.get(key),
      connect: (_now, ref, mask, from) => said.push(["connect", ref.node[0], mask, from]),
      firstMissing: (k) => 100 + k,
      releaseEdge: (_now, mask) => said.push(["release", mask]),
      orphan: (_now, mask, node, from) => said.push(["orphan", mask, node[0], from]),
      subscribeParent: (_now, _session, mask) => said.push(["subscribe", mask]),
    });
  });

  /** Fragments of the sub-streams in `mask` come, one each 10 ms, from `first` until `end`. */
  function come(first: number, end: number, mask = 0b1111): void {
    for (let number = first; number < end; number++) {
      if (((mask >>> (number % 4)) & 1) === 1) {
        parents.handleFresh(ms(number * 10), number, 60, true);
      }
    }
  }

  test("that push later than they ever do are told of, resent and pulled fragments are not", () => {
    come(0, 80);
    const usual = parents.lateAfterMs(0);
    expect(parents.handleFresh(ms(900), 80, usual - 1, true)).toBe(false);
    expect(parents.handleFresh(ms(1000), 84, usual + 100, false)).toBe(false);
    expect(parents.handleFresh(ms(1000), 88, usual + 100, true)).toBe(true);
  });

  test("are connected to; the edge pushes on until they stand", () => {
    parents.handleParents(ms(0), [{ mask: 0b0011, peer: REF }]);
    expect(said).toEqual([["connect", 1, 0b0011, 100]]);
    expect(parents.heldMask).toBe(0);
    parents.handleConnected(ms(50), KEY, SESSION, 0b0011);
    expect(parents.maskOf(KEY)).toBe(0b0011);
    expect(said.slice(1)).toEqual([["release", 0b0011]]);
    expect(parents.heldMask).toBe(0b0011);
    expect(parents.parentOf(1)).toBe(SESSION);
    expect(parents.parentOf(2)).toBeUndefined();
  });

  test("that are neighbours already are asked at once", () => {
    known.set(KEY, { session: SESSION } as Neighbour);
    parents.handleParents(ms(0), [{ mask: 0b0100, peer: REF }]);
    expect(said).toEqual([
      ["subscribe", 0b0100],
      ["release", 0b0100],
    ]);
  });

  test("that do not answer in time are given back to the edge", () => {
    parents.handleParents(ms(0), [{ mask: 0b1000, peer: REF }]);
    parents.tick(ms(400));
    expect(said.length).toBe(1);
    parents.tick(ms(401));
    expect(said.slice(1)).toEqual([["orphan", 0b1000, 1, 103]]);
    expect(parents.isParent(KEY)).toBe(false);
  });

  test("fallen silent while other sub-streams go on leave an orphan", () => {
    parents.handleParents(ms(0), [{ mask: 0b0001, peer: REF }]);
    parents.handleConnected(ms(0), KEY, SESSION, 0b0001);
    come(0, 40);
    parents.tick(ms(400));
    expect(parents.orphaned).toBe(0);
    come(40, 100, 0b1110);
    parents.tick(ms(1000));
    expect(parents.orphaned).toBe(1);
    expect(said.slice(-2)).toEqual([
      ["orphan", 0b0001, 1, 100],
      ["subscribe", 0],
    ]);
  });

  test("are not blamed when the whole stream pauses", () => {
    parents.handleParents(ms(0), [{ mask: 0b0001, peer: REF }]);
    parents.handleConnected(ms(0), KEY, SESSION, 0b0001);
    come(0, 40);
    parents.tick(ms(5000));
    expect(parents.orphaned).toBe(0);
  });

  test("that answer too late are told that nothing is wanted of them", () => {
    parents.handleParents(ms(0), [{ mask: 0b0001, peer: REF }]);
    parents.handleParents(ms(20), [{ mask: 0b0001, peer: refOf(2) }]);
    said.length = 0;
    parents.handleConnected(ms(50), KEY, SESSION, 0b0001);
    expect(said).toEqual([["subscribe", 0]]);
  });

  test("lose what the edge gives to another, once that one stands", () => {
    parents.handleParents(ms(0), [{ mask: 0b0011, peer: REF }]);
    parents.handleConnected(ms(0), KEY, SESSION, 0b0011);
    said.length = 0;
    parents.handleParents(ms(100), [{ mask: 0b0001, peer: refOf(2) }]);
    expect(said).toEqual([["connect", 2, 0b0001, 100]]);
    expect(parents.maskOf(KEY)).toBe(0b0011);
    parents.handleConnected(ms(150), nodeKey(refOf(2).node), SESSION, 0b0001);
    expect(said.slice(1, 2)).toEqual([["subscribe", 0b0010]]);
    expect(parents.maskOf(KEY)).toBe(0b0010);
    parents.handleParents(ms(200), [{ mask: 0b0010 }]);
    expect(parents.isParent(KEY)).toBe(false);
  });
});
