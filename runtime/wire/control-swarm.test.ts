import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolViolation } from "../base/errors.ts";
import { encodeFields } from "./cbor.ts";
import { CONTROL_MESSAGE_BYTES_MAX, decodeControl, encodeControl } from "./control.ts";
import { SWARM_LIST_MAX } from "./control-swarm.ts";
import { encodePeerRef } from "./swarm.ts";
import { peerRefs, swarmMessages } from "./testing/arbitraries.ts";

const peer = {
  node: new Uint8Array(8),
  ticket: new Uint8Array(16),
  region: 1,
  addresses: new Array(4).fill({ family: 6, ip: "2001:db8::1", port: 5 } as const),
};

describe("the swarm's messages", () => {
  test("come back as they were encoded", () => {
    fc.assert(
      fc.property(swarmMessages, (message) => {
        expect(decodeControl(encodeControl(message).subarray(2))).toEqual(message);
      }),
    );
  });

  test("fit into one message at their largest", () => {
    const list = new Array(SWARM_LIST_MAX).fill({ mask: 0xffff_ffff, peer });
    const bytes = encodeControl({ t: "parents", list });
    expect(bytes.length).toBeLessThanOrEqual(CONTROL_MESSAGE_BYTES_MAX);
    expect(decodeControl(bytes.subarray(2))).toEqual({ t: "parents", list });
  });

  test("with a field wrong are violations", () => {
    const ref = encodePeerRef(peer);
    const good = {
      t: "welcome",
      key: new Uint8Array(16),
      k: 16,
      region: 1,
      seen: ref.slice(27, 46),
    };
    expect(decodeControl(encodeFields(good))).toBeDefined();
    const bad = [
      { ...good, key: new Uint8Array(15) },
      { ...good, k: 33 },
      { ...good, region: 65_536 },
      { ...good, seen: ref.slice(27, 45) },
      { ...good, seen: "2001:db8::1" },
      { t: "parents" },
      { t: "parents", list: [1] },
      { t: "parents", list: [[]] },
      { t: "parents", list: [{ peer: ref }] },
      { t: "parents", list: [{ mask: 1, peer: ref.slice(1) }] },
      { t: "parents", list: [{ mask: 1, peer: null }] },
      { t: "peers", list: new Array(SWARM_LIST_MAX + 1).fill(ref) },
      { t: "peers", list: {} },
      { t: "expect", list: [null] },
      { t: "recruit", mask: 1, children: 256 },
      { t: "orphan", mask: 1, node: new Uint8Array(9) },
      { t: "here", at: new Array(4).fill(ref.slice(27, 46)) },
    ];
    for (const fields of bad) {
      expect(() => decodeControl(encodeFields(fields)), JSON.stringify(fields)).toThrow(
        ProtocolViolation,
      );
    }
  });

  test("any change of a byte gives a message or a violation", () => {
    fc.assert(
      fc.property(swarmMessages, peerRefs, fc.nat(), fc.nat(255), (message, _, where, value) => {
        const bytes = encodeControl(message).slice(2);
        bytes[where % bytes.length] = value;
        try {
          decodeControl(bytes);
        } catch (error) {
          if (!(error instanceof ProtocolViolation)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
