import { describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { type Ms, ms } from "../../base/time.ts";
import type { Address } from "../../wire/address.ts";
import { encodeChallenge, encodePing } from "../../wire/feedback.ts";
import { encodeIdHead, ID_BYTES, PacketType } from "../../wire/packet.ts";
import { ALICE, Pair } from "../testing/session-pair.ts";
import { AddressCheck, nextPingAt, UnwrappedClock } from "./session-path.ts";
import { ACK_FAST, ACK_PEER, type AckProfile } from "./session-types.ts";

const MOVED: Address = { family: 4, ip: "10.0.0.77", port: 5000 };
const VICTIM: Address = { family: 4, ip: "192.0.2.1", port: 53 };

/** A PING to Bob's session, as Alice would write it. */
function ping(pair: Pair): Uint8Array {
  const { localHi, localLo } = pair.b.session;
  const data = new Uint8Array(64);
  const head = encodeIdHead(data, 0, PacketType.PING, localHi, localLo);
  return data.slice(0, encodePing(data, head, 1, 2));
}

function response(pair: Pair, token: Uint8Array): Uint8Array {
  const { localHi, localLo } = pair.b.session;
  const data = new Uint8Array(64);
  const head = encodeIdHead(data, 0, PacketType.RESPONSE, localHi, localLo);
  return data.slice(0, encodeChallenge(data, head, token));
}

function tokensTo(pair: Pair, address: Address): Uint8Array[] {
  return pair
    .packets("bob", PacketType.CHALLENGE)
    .filter((_, i) => challengesOf(pair)[i]?.to.port === address.port)
    .map((bytes) => bytes.slice(ID_BYTES));
}

function challengesOf(pair: Pair) {
  return pair.sent.filter(({ from, bytes }) => from === "bob" && bytes[0] === PacketType.CHALLENGE);
}

describe("a session whose other side has moved", () => {
  test("follows once a challenge is answered from the new address", () => {
    const pair = new Pair().open(500);
    pair.inject(MOVED, ping(pair));
    expect(pair.b.session.address.ip).toBe(ALICE.ip);
    const [token] = tokensTo(pair, MOVED);
    pair.inject(MOVED, response(pair, token as Uint8Array));
    expect(pair.b.session.address).toEqual(MOVED);
  });

  test("follows though the round trip is longer than the gap between challenges", () => {
    const pair = new Pair().open(500);
    for (let i = 0; i < 40; i++) {
      pair.inject(MOVED, ping(pair));
      pair.pass(20);
    }
    const tokens = tokensTo(pair, MOVED);
    expect(tokens.length).toBeWithin(3, 6); /* one each 200 ms */
    pair.inject(MOVED, response(pair, tokens[0] as Uint8Array));
    expect(pair.b.session.address).toEqual(MOVED);
  });

  test("is not taken away by packets with another's source address", () => {
    const pair = new Pair().open(500);
    for (let i = 0; i < 100; i++) {
      const before = pair.sent.length;
      pair.inject(VICTIM, ping(pair));
      const toVictim = pair.sent.slice(before).filter(({ to }) => to.port === VICTIM.port);
      const got = toVictim.reduce((sum, { bytes }) => sum + bytes.length, 0);
      expect(got).toBeLessThanOrEqual(3 * ping(pair).length);
      pair.inject(VICTIM, response(pair, new Uint8Array(8).fill(i)));
      pair.pass(10);
    }
    expect(pair.b.session.address.ip).toBe(ALICE.ip);
    expect(challengesOf(pair).length).toBeLessThan(8);
    expect([pair.a.closed, pair.b.closed]).toEqual([[], []]);
  });

  test("does not go where the token was not sent, nor to a token used or too old", () => {
    const pair = new Pair().open(500);
    pair.inject(MOVED, ping(pair));
    const token = tokensTo(pair, MOVED)[0] as Uint8Array;
    pair.inject(VICTIM, response(pair, token));
    expect(pair.b.session.address.ip).toBe(ALICE.ip);
    pair.pass(1600);
    pair.inject(MOVED, response(pair, token));
    expect(pair.b.session.address.ip).toBe(ALICE.ip);
  });
});

describe("an address check", () => {
  test("asks one address at a time, so that nobody can crowd the true one out", () => {
    const check = new AddressCheck();
    const random = new Prng(1);
    const token = check.tokenFor(ms(0), MOVED, random) as Uint8Array;
    expect(check.tokenFor(ms(10), VICTIM, random)).toBeUndefined();
    expect(check.tokenFor(ms(210), MOVED, random)).toEqual(token);
    expect(check.isProof(ms(900), MOVED, token)).toBe(true);
    expect(check.isProof(ms(901), MOVED, token)).toBe(false);
    expect(check.tokenFor(ms(902), VICTIM, random)).not.toEqual(token);
  });
});

describe("pings", () => {
  test("begin in quick succession and go on slowly", () => {
    const since = ms(500);
    const dueAt = [since];
    const { pingStartMs, pingMs } = ACK_FAST;
    for (let number = 1; number <= pingStartMs.length; number++) {
      dueAt.push(nextPingAt(dueAt[number - 1] as Ms, since, number, ACK_FAST));
    }
    const last = since + (pingStartMs.at(-1) as number);
    expect(dueAt).toEqual([...pingStartMs.map((at) => ms(since + at)), ms(last + pingMs)]);
    expect(nextPingAt(ms(9000), since, 1, ACK_FAST)).toBe(ms(9000 + pingMs));
  });

  test("among peers stop for a while once one was answered", () => {
    const pings = (ack: AckProfile) =>
      new Pair({ ack }).open(1000).packets("alice", PacketType.PING).length;
    expect([pings(ACK_FAST), pings(ACK_PEER)]).toEqual([ACK_FAST.pingStartMs.length, 1]);
    const unanswered = new Pair({
      ack: ACK_PEER,
      drop: ({ bytes }) => bytes[0] === PacketType.PONG,
    });
    const sent = unanswered.open(1000).packets("alice", PacketType.PING);
    expect(sent.length).toBe(ACK_PEER.pingStartMs.length);
  });
});

test("a clock is followed across its wrap, and back a little", () => {
  const clock = new UnwrappedClock();
  expect(clock.read(0xffff_fff0)).toBe(0);
  expect(clock.read(0x10)).toBeCloseTo(3.2, 9);
  expect(clock.read(0)).toBeCloseTo(1.6, 9);
});
