import { describe, expect, test } from "bun:test";
import { CloseCode } from "../../wire/close-code.ts";
import { encodeAccept, encodeRefuse, encodeVersions } from "../../wire/handshake.ts";
import { PacketType } from "../../wire/packet.ts";
import { BOB, Pair } from "../testing/session-pair.ts";

describe("a connector", () => {
  test("repeats its HELLO at 150 ms, doubling to 2 s, and gives up after six", () => {
    const pair = new Pair({ drop: () => true }).open(20_000);
    const times = pair.sent.map(({ atMs }) => Math.round(atMs));
    expect(times).toEqual([0, 150, 450, 1050, 2250, 4250]);
    expect(pair.a.results).toMatchObject([{ type: "refused", code: CloseCode.timeout }]);
  });

  test("gets through 30 % loss both ways, but for one in fifty a round", () => {
    let opened = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const pair = new Pair({ seed, link: { loss: { kind: "iid", rate: 0.3 } } }).open(16_000);
      if (pair.a.results[0]?.type === "open") opened++;
      expect(pair.a.results.length).toBe(1);
    }
    expect(opened).toBeGreaterThanOrEqual(18);
  });

  test("a lost ACCEPT is asked for again", () => {
    let dropped = 0;
    const pair = new Pair({
      drop: ({ bytes }) => bytes[0] === PacketType.ACCEPT && dropped++ < 2,
    }).open();
    expect(pair.packets("bob", PacketType.ACCEPT).length).toBe(3);
    expect(pair.a.results.map(({ type }) => type)).toEqual(["open"]);
    expect(pair.b.context.sessionCount).toBe(1);
  });

  test("heeds nothing that does not carry its connection id, and nothing once it is done", () => {
    const pair = new Pair({ drop: () => true }).open(50);
    const [hi, lo] = [1, 2];
    const params = { agent: "x", node: new Uint8Array(8) };
    const { overloaded: code } = CloseCode;
    const strange = [
      encodeRefuse({ cid: { hi, lo }, code, reason: "", retryMs: 0 }),
      encodeVersions({ cid: { hi, lo }, versions: [3] }),
      encodeAccept({ cid: { hi, lo }, own: { hi, lo }, params }),
    ];
    for (const data of strange) pair.inject(BOB, data, pair.alice);
    expect(pair.a.results).toEqual([]);
    pair.drop = () => false;
    pair.pass(1000);
    const accept = pair.packets("bob", PacketType.ACCEPT)[0] as Uint8Array;
    pair.inject(BOB, accept, pair.alice);
    expect(pair.a.context.sessionCount).toBe(1);
  });

  test("learns which versions the other side speaks", () => {
    const pair = new Pair({ drop: () => true }).open(50);
    const hello = pair.sent[0]?.bytes as Uint8Array;
    const view = new DataView(hello.buffer);
    const cid = { hi: view.getUint32(5), lo: view.getUint32(9) };
    pair.inject(BOB, encodeVersions({ cid, versions: [3, 4] }), pair.alice);
    expect(pair.a.results).toMatchObject([
      { type: "refused", code: CloseCode.version, retryMs: 0 },
    ]);
  });

  test("tries all addresses at once and talks to the one that answers", () => {
    const pair = new Pair();
    const nobody = { family: 4, ip: "10.9.9.9", port: 1 } as const;
    pair.alice.command((alice, now) => alice.connect(now, [nobody, BOB]));
    pair.pass(500);
    expect(pair.a.session.address.ip).toBe(BOB.ip);
  });

  test("a full memory is a refusal", () => {
    const pair = new Pair();
    while (pair.a.hot.sessionOpen() > 0);
    pair.open();
    expect(pair.a.results).toMatchObject([{ type: "refused", code: CloseCode.overloaded }]);
    expect(pair.a.context.sessionCount).toBe(0);
  });
});
