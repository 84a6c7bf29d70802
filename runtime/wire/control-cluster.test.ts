import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolViolation } from "../base/errors.ts";
import { type Address, addressBytes } from "./address.ts";
import { encodeFields } from "./cbor.ts";
import { decodeControl, encodeControl } from "./control.ts";
import { EDGES_LIST_MAX } from "./control-cluster.ts";
import { clusterMessages } from "./testing/arbitraries.ts";

const edge: Address = { family: 4, ip: "192.0.2.1", port: 4935 };

describe("what an edge says of the others", () => {
  test("comes back as it was encoded", () => {
    fc.assert(
      fc.property(clusterMessages, (message) => {
        expect(decodeControl(encodeControl(message).subarray(2))).toEqual(message);
      }),
    );
  });

  test("may be that there are none, but nobody is moved to nowhere", () => {
    expect(decodeControl(encodeFields({ t: "edges", list: [] }))).toEqual({ t: "edges", list: [] });
    expect(() => decodeControl(encodeFields({ t: "move", list: [] }))).toThrow(ProtocolViolation);
  });

  test("is a violation with too many of them, or with what is no address", () => {
    const one = addressBytes(edge);
    for (const list of [
      new Array(EDGES_LIST_MAX + 1).fill(one),
      [one.slice(1)],
      ["192.0.2.1"],
      1,
    ]) {
      for (const t of ["edges", "move"]) {
        expect(() => decodeControl(encodeFields({ t, list }))).toThrow(ProtocolViolation);
      }
    }
  });
});
