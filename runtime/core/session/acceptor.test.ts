import { describe, expect, test } from "bun:test";
import type { Address } from "../../wire/address.ts";
import { CloseCode } from "../../wire/close-code.ts";
import { decodeRefuse, encodeConnect, encodeHello, WIRE_VERSION } from "../../wire/handshake.ts";
import { PacketType } from "../../wire/packet.ts";
import { makeTicket } from "../../wire/swarm.ts";
import { ALICE, BOB, Pair } from "../testing/session-pair.ts";
import { ACK_PEER } from "./session-types.ts";

const STRANGER: Address = { family: 4, ip: "192.0.2.7", port: 999 };

/** Alice's first CONNECT, which is kept from Bob. */
function heldConnect(seed = 1): { pair: Pair; connect: Uint8Array } {
  const pair = new Pair({ seed, drop: ({ bytes }) => bytes[0] === PacketType.CONNECT });
  pair.open(150);
  return { pair, connect: pair.packets("alice", PacketType.CONNECT)[0] as Uint8Array };
}

describe("a handshake", () => {
  test("opens a session on both sides, each knowing the other's name", () => {
    const pair = new Pair().open();
    expect(pair.a.results.map(({ type }) => type)).toEqual(["open"]);
    expect([pair.a.session.agent, pair.b.session.agent]).toEqual(["bob", "alice"]);
    expect(pair.b.session.address.ip).toBe(ALICE.ip);
    expect(pair.a.session.localLo).toBe(pair.b.session.remoteLo);
  });

  test("makes no state before a cookie has come back, and answers no more than it got", () => {
    const pair = new Pair();
    const used = pair.b.hot.payloadBytesUsed();
    for (let i = 0; i < 1000; i++) {
      const versions = i % 2 === 0 ? [WIRE_VERSION] : [77];
      pair.inject(STRANGER, encodeHello({ cid: { hi: i, lo: i }, versions }));
    }
    expect(pair.b.context.sessionCount).toBe(0);
    expect(pair.b.hot.payloadBytesUsed()).toBe(used);
    expect(pair.sent.length).toBe(1000);
    for (const { bytes } of pair.sent) expect(bytes.length).toBeLessThanOrEqual(64);
  });

  test("any bytes of an unproven address get no more than three times their size back", () => {
    const pair = new Pair();
    let state = 7;
    for (let i = 0; i < 3000; i++) {
      const data = new Uint8Array(1 + (i % 200));
      for (let at = 0; at < data.length; at++) {
        state = Math.imul(state, 1_103_515_245) + 12_345;
        data[at] = state >>> 16;
      }
      data[0] = i % 0x20;
      const before = pair.sent.length;
      pair.inject(STRANGER, data);
      const got = pair.sent.slice(before).reduce((sum, { bytes }) => sum + bytes.length, 0);
      expect(got).toBeLessThanOrEqual(3 * data.length);
    }
    expect(pair.b.context.sessionCount).toBe(0);
  });

  test("refuses a cookie that is changed, too old, or another address's", () => {
    const { pair, connect } = heldConnect();
    for (let i = 11; i < 30; i++) {
      const changed = connect.slice();
      changed[i] = (changed[i] as number) ^ 1;
      pair.inject(ALICE, changed);
    }
    pair.inject(STRANGER, connect);
    pair.inject({ ...ALICE, port: 4001 }, connect);
    expect(pair.b.context.sessionCount).toBe(0);
    pair.pass(10_100);
    pair.inject(ALICE, connect);
    expect(pair.b.context.sessionCount).toBe(0);
    expect(pair.packets("bob", PacketType.ACCEPT)).toEqual([]);
  });

  test("a repeated CONNECT gets the same ACCEPT and no second session", () => {
    const { pair, connect } = heldConnect();
    for (let i = 0; i < 5; i++) pair.inject(ALICE, connect);
    const accepts = pair.packets("bob", PacketType.ACCEPT);
    expect(accepts.length).toBe(5);
    for (const accept of accepts) expect(accept).toEqual(accepts[0] as Uint8Array);
    expect(pair.b.context.sessionCount).toBe(1);
  });

  test("names its versions to who speaks none of them", () => {
    const pair = new Pair();
    pair.inject(STRANGER, encodeHello({ cid: { hi: 1, lo: 2 }, versions: [9, 10] }));
    expect(pair.packets("bob", PacketType.VERSIONS).length).toBe(1);
    pair.inject(STRANGER, encodeHello({ cid: { hi: 1, lo: 2 }, versions: [9, WIRE_VERSION] }));
    expect(pair.packets("bob", PacketType.COOKIE).length).toBe(1);
  });

  test("tells who is not admitted why", () => {
    const refuse = { refuse: CloseCode.wrongKey, reason: "the key is wrong", retryMs: 0 } as const;
    const pair = new Pair({ admit: () => refuse }).open();
    expect(pair.a.results).toMatchObject([{ type: "refused", reason: "the key is wrong" }]);
    expect(pair.b.acceptor.handshakesRefused).toBe(1);
    expect(pair.b.context.sessionCount).toBe(0);
  });

  test("a full memory refuses as overloaded and throws nothing", () => {
    const { pair, connect } = heldConnect();
    while (pair.b.hot.sessionOpen() > 0);
    pair.inject(ALICE, connect);
    const refuse = decodeRefuse(pair.packets("bob", PacketType.REFUSE)[0] as Uint8Array);
    expect(refuse?.code).toBe(CloseCode.overloaded);
    expect(pair.b.context.sessionCount).toBe(0);
  });
});

describe("a handshake by ticket", () => {
  const ticketKey = new Uint8Array(16).fill(5);

  test("needs no HELLO, and opens for the node and address it was made for", () => {
    const pair = new Pair({ ticketKey });
    const ticket = makeTicket(ticketKey, pair.a.node, ALICE.ip);
    pair.alice.command((alice, now) => alice.connect(now, [BOB], ticket));
    pair.pass(200);
    expect(pair.a.results.map(({ type }) => type)).toEqual(["open"]);
    expect(pair.packets("alice", PacketType.HELLO)).toEqual([]);
  });

  test("tells a peer the round trip when its first CONNECT is answered: it need not ping", () => {
    const pingsAfter = (connectsLost: number): [number, number] => {
      const pair = new Pair({ ticketKey, ack: ACK_PEER, link: { delayMs: 40 } });
      let lost = 0;
      pair.drop = ({ bytes }) => bytes[0] === PacketType.CONNECT && lost++ < connectsLost;
      const ticket = makeTicket(ticketKey, pair.a.node, ALICE.ip);
      pair.alice.command((alice, now) => alice.connect(now, [BOB], ticket));
      pair.pass(1000);
      const pings = pair.packets("alice", PacketType.PING).length;
      return [pings, Math.round(pair.a.session.srttMs())];
    };
    expect(pingsAfter(0)).toEqual([0, 80]);
    expect(pingsAfter(1)).toEqual([1, 80]);
  });

  test("is silent to HELLOs, to cookies and to tickets of others", () => {
    const pair = new Pair({ ticketKey });
    const params = { role: "viewer", stream: "live/a", agent: "", node: pair.a.node } as const;
    const connect = (cookie: Uint8Array) =>
      encodeConnect({ cid: { hi: 1, lo: 1 }, version: WIRE_VERSION, cookie, params });
    const ticket = makeTicket(ticketKey, pair.a.node, ALICE.ip);
    pair.inject(ALICE, encodeHello({ cid: { hi: 1, lo: 1 }, versions: [WIRE_VERSION] }));
    pair.inject(ALICE, connect(new Uint8Array(16)));
    pair.inject(STRANGER, connect(ticket));
    pair.inject(ALICE, connect(makeTicket(ticketKey, new Uint8Array(8), ALICE.ip)));
    expect(pair.sent).toEqual([]);
    expect(pair.b.context.datagramsRefused).toBe(4);
    pair.b.acceptor.ticketKey = undefined; /* the edge has not given one yet */
    pair.inject(ALICE, connect(ticket));
    expect(pair.b.context.sessionCount).toBe(0);
  });
});
