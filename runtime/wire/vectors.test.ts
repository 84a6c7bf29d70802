/** The golden vectors: what other implementations can be built against, and what must not change by accident. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { ProtocolViolation } from "../base/errors.ts";
import { checkCookie, makeCookie, proofOf } from "./cookie.ts";
import { meshProofOf } from "./mesh-proof.ts";
import { PacketType } from "./packet.ts";
import { makeTicket } from "./swarm.ts";
import { vectorCodecs } from "./testing/vector-codecs.ts";
import proofs from "./vectors/proofs.json";
import refused from "./vectors/refused.json";

interface Vector {
  readonly codec: string;
  readonly what: string;
  readonly hex: string;
  readonly decoded: unknown;
}

const folder = new URL("./vectors/", import.meta.url);
const special = ["proofs.json", "refused.json"];
const files = readdirSync(folder).filter((name) => !special.includes(name));

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString("hex");
}

function withBytes(_key: string, value: unknown): unknown {
  const text = (value as { $hex?: string } | null)?.$hex;
  return text === undefined ? value : bytes(text);
}

const seen = new Set<string>();
for (const file of files) {
  const text = readFileSync(new URL(file, folder), "utf8");
  const vectors = JSON.parse(text, withBytes) as readonly Vector[];
  describe(`vectors/${file}`, () => {
    for (const { codec: name, what, hex: wire, decoded } of vectors) {
      seen.add(name);
      test(`${name}: ${what}`, () => {
        const codec = vectorCodecs[name];
        if (codec === undefined) throw new Error(`no codec ${name}`);
        expect(codec.decode(bytes(wire))).toEqual(decoded as object);
        expect(hex(codec.encode(decoded as never))).toBe(hex(bytes(wire)));
      });
    }
  });
}

describe("vectors/refused.json", () => {
  for (const { codec: name, what, hex: wire } of refused) {
    test(`${name}: ${what}`, () => {
      let decoded: unknown;
      try {
        decoded = vectorCodecs[name]?.decode(bytes(wire));
      } catch (error) {
        if (!(error instanceof ProtocolViolation)) throw error;
      }
      expect(decoded).toBeUndefined();
    });
  }
});

describe("vectors/proofs.json", () => {
  test("cookies", () => {
    for (const { secret, nowMs, address, cid, cookie } of proofs.cookies) {
      const from = { ...address, family: address.family as 4 | 6 };
      expect(hex(makeCookie(bytes(secret), nowMs, from, cid))).toBe(cookie);
      expect(checkCookie(bytes(secret), nowMs, from, cid, bytes(cookie))).toBe(true);
    }
  });

  test("proofs of keys", () => {
    for (const { key, cookie, cid, stream, proof } of proofs.proofs) {
      expect(hex(proofOf(key, bytes(cookie), cid, stream))).toBe(proof);
    }
  });

  test("proofs of the cluster's secret", () => {
    for (const { side, secret, cookie, cid, claim, proof } of proofs.mesh) {
      const at = { ...claim.at, family: claim.at.family as 4 | 6 };
      const made = meshProofOf(side as "connect", secret, bytes(cookie), cid, { ...claim, at });
      expect(hex(made)).toBe(proof);
    }
  });

  test("tickets", () => {
    for (const { key, node, ip, ticket } of proofs.tickets) {
      expect(hex(makeTicket(bytes(key), bytes(node), ip))).toBe(ticket);
    }
  });
});

test("every packet type that has a codec has a vector", () => {
  const hotPathOnly = ["ACK"]; /* its body is the hot path's: core/testing */
  const wanted = Object.keys(PacketType).filter((name) => !hotPathOnly.includes(name));
  expect([...wanted, "segment", "address", "peer"].filter((name) => !seen.has(name))).toEqual([]);
});
