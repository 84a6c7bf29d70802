import { beforeEach, describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { ms } from "../../base/time.ts";
import { ACK_PEER, type Session } from "../../core/session/session.ts";
import { createScorer } from "../../score/scorer.ts";
import type { PeerRef } from "../../wire/swarm.ts";
import { createSwarmParams } from "../swarm-params.ts";
import { type Neighbour, type NeighbourRole, Neighbours } from "./neighbours.ts";

const PARAMS = createSwarmParams({
  neighboursMax: 4,
  replaceMs: 1000,
  replaceShare: 0.5,
  replaceHysteresis: 1.2,
});

function refOf(id: number): PeerRef {
  return { node: new Uint8Array(8).fill(id), ticket: new Uint8Array(), region: 0, addresses: [] };
}

describe("neighbours", () => {
  let neighbours: Neighbours;

  beforeEach(() => {
    const random = new Prng(1);
    neighbours = new Neighbours(PARAMS, random, createScorer("rtt", random));
  });

  function add(id: number, role: NeighbourRole = "mesh", score = 0.5): Neighbour {
    const session = { id } as unknown as Session;
    const neighbour = neighbours.add(ms(0), session, new Uint8Array(8).fill(id), 0, role);
    neighbour.score = score;
    return neighbour;
  }

  test("are bounded; parents, children and those beyond the bound exchange no maps", () => {
    const child = add(1, "child");
    expect([child.isMeshed, neighbours.meshed, neighbours.missing]).toEqual([false, 0, 4]);
    const parent = add(2, "parent");
    expect([parent.isMeshed, neighbours.meshed, neighbours.missing]).toEqual([false, 0, 3]);
    for (let id = 3; id < 6; id++) add(id);
    expect(neighbours.isFull).toBe(true);
    const beyond = add(6);
    expect(beyond.isMeshed).toBe(false);
    neighbours.remove(beyond.session);
    neighbours.remove(parent.session);
    neighbours.remove((neighbours.list[1] as Neighbour).session);
    expect([neighbours.isFull, neighbours.meshed, neighbours.missing]).toEqual([false, 2, 2]);
  });

  test("get maps at a pace that is bounded for all together, and keeps sessions alive", () => {
    const paced = (gossipMs: number, mapsPerSecond: number): number[] => {
      const random = new Prng(1);
      const params = createSwarmParams({ neighboursMax: 9, gossipMs, mapsPerSecond });
      neighbours = new Neighbours(params, random, createScorer("rtt", random));
      return Array.from({ length: 9 }, (_, id) => {
        add(id + 1);
        return neighbours.gossipMs;
      });
    };
    const last = ACK_PEER.keepaliveMs - 100;
    expect(paced(1000, 5)).toEqual([1000, 1000, 1000, 1000, 1000, 1200, last, last, last]);
    expect(paced(2000, 5).at(-1)).toBe(2000);
  });

  test("are found by session and by node until they leave", () => {
    const neighbour = add(1);
    expect(neighbours.of(neighbour.session)).toBe(neighbour);
    expect(neighbours.withNode(neighbour.key)).toBe(neighbour);
    expect(neighbours.remove(neighbour.session)).toBe(neighbour);
    expect(neighbours.withNode(neighbour.key)).toBeUndefined();
    expect(neighbours.remove(neighbour.session)).toBeUndefined();
  });

  test("come from candidates, each taken once, none that is here already", () => {
    add(1);
    neighbours.addCandidates([refOf(1), refOf(2), refOf(2), refOf(3)]);
    expect(neighbours.takeCandidate()?.node[0]).toBe(2);
    expect(neighbours.takeCandidate()?.node[0]).toBe(3);
    expect(neighbours.takeCandidate()).toBeUndefined();
    neighbours.addCandidates(Array.from({ length: 200 }, (_, i) => refOf(i + 10)));
    expect(neighbours.candidates.size).toBe(64);
  });

  test("give way when they are clearly worse than the rest and somebody waits", () => {
    const [bad] = [
      add(1, "mesh", 0.2),
      add(2, "mesh", 0.8),
      add(3, "mesh", 0.75),
      add(4, "mesh", 0.8),
    ];
    const none = () => false;
    expect(neighbours.toReplace(ms(0), none)).toEqual([]);
    expect(neighbours.toReplace(ms(2000), none)).toEqual([]);
    neighbours.addCandidates([refOf(9), refOf(10)]);
    expect(neighbours.toReplace(ms(2001), none)).toEqual([bad as Neighbour]);
    expect(neighbours.toReplace(ms(2002), none)).toEqual([]);
  });

  test("are asked of the edge ever more seldom while none come", () => {
    const asks: number[] = [];
    const ask = (untilMs: number): void => {
      while (neighbours.wantAt <= untilMs) {
        const at = neighbours.wantAt;
        if (neighbours.toWant(at) > 0) asks.push(at);
      }
    };
    ask(60_000);
    expect(asks).toEqual([]); /* not welcome yet */
    neighbours.handleWelcome(ms(0));
    ask(50_000);
    expect(asks).toEqual([3000, 6000, 12_000, 24_000, 36_000, 48_000]);
    add(1);
    ask(63_000);
    expect(asks.slice(6)).toEqual([60_000, 63_000]);
    neighbours.addCandidates([refOf(9)]);
    expect(neighbours.toWant(ms(66_000))).toBe(0);
    neighbours.takeCandidate();
    expect(neighbours.toWant(ms(69_000))).toBe(3);
    for (let id = 2; id < 5; id++) add(id);
    expect([neighbours.isFull, neighbours.toWant(ms(70_000)) > 0]).toEqual([true, true]);
  });

  test("that feed us or are fed by us stay", () => {
    const bad = add(1, "mesh", 0.2);
    for (let id = 2; id < 5; id++) add(id, "mesh", 0.8);
    neighbours.addCandidates([refOf(9)]);
    neighbours.toReplace(ms(0), () => false);
    expect(neighbours.toReplace(ms(2000), (each) => each === bad)).toEqual([]);
  });

  test("have what their last map shows", () => {
    const neighbour = add(1);
    const bits = new Uint8Array([0b0000_0101]);
    neighbour.handleMap(ms(5), { stream: 1, base: 0xffff_ffff, run: 2, spareBps: 7, bits });
    bits[0] = 0; /* the packet's memory is used again */
    const has = (...numbers: number[]) => numbers.map((number) => neighbour.has(number));
    expect(has(0xffff_ffff, 0, 1, 7, 8)).toEqual([true, false, true, false, false]);
    expect(has(0xffff_fffe, 0xffff_fffd, 0xffff_fffc)).toEqual([true, true, false]);
  });
});
