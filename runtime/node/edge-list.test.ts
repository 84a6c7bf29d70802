import { describe, expect, test } from "bun:test";
import type { Address } from "../wire/address.ts";
import { EdgeList } from "./edge-list.ts";

const [A, B, C, D, E] = ["a", "b", "c", "d", "e"].map((_, i) => ({
  family: 4 as const,
  ip: `10.0.0.${i + 1}`,
  port: 4935,
})) as [Address, Address, Address, Address, Address];
const SIX: Address = { family: 6, ip: "2001:db8::1", port: 4935 };

describe("the edges a node knows", () => {
  test("are tried in the order given, again and again", () => {
    const list = new EdgeList([A, B]);
    expect([list.next(false), list.next(false), list.next(false)]).toEqual([[A], [B], [A]]);
  });

  test("are asked three at a time in need", () => {
    const list = new EdgeList([A, B, C, D]);
    expect([list.next(true), list.next(true), list.next(true)]).toEqual([
      [A, B, C],
      [D],
      [A, B, C],
    ]);
  });

  test("begin with those it was sent to, then those its edge named", () => {
    const list = new EdgeList([A]);
    list.name([B, C]);
    list.prefer([D, E]);
    expect(list.next(true)).toEqual([D, E, B]);
    expect(list.next(true)).toEqual([C, A]);
    expect(list.isMidRound).toBe(false);
  });

  test("end with the one that has failed", () => {
    const list = new EdgeList([A, B]);
    list.name([C]);
    list.avoid(C);
    expect([list.next(false), list.next(false), list.next(false)]).toEqual([[A], [B], [C]]);
  });

  test("leave out the one a node is at, unless it is the only one", () => {
    const list = new EdgeList([A, B]);
    expect(list.next(false, A)).toEqual([B]);
    expect(new EdgeList([A]).next(false, A)).toEqual([A]);
    expect([list.hasOther(A), new EdgeList([A]).hasOther(A)]).toEqual([true, false]);
  });

  test("that were asked with the one that answered come next", () => {
    const list = new EdgeList([A, B, C]);
    list.putBack(list.next(true), B);
    expect(list.next(true)).toEqual([A, C]);
  });

  test("with IPv6 are of use only to who speaks it", () => {
    const list = new EdgeList([A]);
    list.name([SIX]);
    expect(list.hasOther(A)).toBe(false);
    const both = new EdgeList([A, { ...SIX, port: 1 }]);
    both.name([SIX]);
    expect(both.next(false)).toEqual([A]);
    expect(both.all).toContainEqual(SIX);
  });
});
