import { expect, test } from "bun:test";
import { checkMeshProof, type MeshClaim, meshProofOf } from "./mesh-proof.ts";

const at = { family: 4, ip: "192.0.2.1", port: 4000 } as const;
const claim: MeshClaim = { edge: "north", line: "tele", to: "south", at };
const cookie = Uint8Array.from({ length: 20 }, (_, i) => i);
const cid = { hi: 1, lo: 2 };
const SECRET = "the secret of the cluster";

test("a proof holds for its side, secret, cookie, id and claim alone", () => {
  const proof = meshProofOf("connect", SECRET, cookie, cid, claim);
  expect(proof).toHaveLength(32);
  expect(checkMeshProof("connect", SECRET, cookie, cid, claim, proof)).toBe(true);
  expect(checkMeshProof("accept", SECRET, cookie, cid, claim, proof)).toBe(false);
  expect(checkMeshProof("connect", `${SECRET}.`, cookie, cid, claim, proof)).toBe(false);
  expect(checkMeshProof("connect", SECRET, cookie.slice(1), cid, claim, proof)).toBe(false);
  expect(checkMeshProof("connect", SECRET, cookie, { hi: 1, lo: 3 }, claim, proof)).toBe(false);
  const others: MeshClaim[] = [
    { ...claim, edge: "nort" },
    { ...claim, line: "telf" },
    { ...claim, to: "sout" },
    { ...claim, at: { ...at, port: 4001 } },
    { ...claim, at: { ...at, ip: "192.0.2.2" } },
  ];
  for (const other of others) {
    expect(checkMeshProof("connect", SECRET, cookie, cid, other, proof)).toBe(false);
  }
  expect(checkMeshProof("connect", SECRET, cookie, cid, claim, undefined)).toBe(false);
});

test("names that run into one another make other proofs", () => {
  const a = meshProofOf("connect", SECRET, cookie, cid, { ...claim, edge: "ab", line: "c" });
  const b = meshProofOf("connect", SECRET, cookie, cid, { ...claim, edge: "a", line: "bc" });
  expect(a).not.toEqual(b);
});
