import { describe, expect, test } from "bun:test";
import { ms, NEVER } from "../base/time.ts";
import { ACK_FAST } from "../core/session/session.ts";
import { BOB, Pair } from "../core/testing/session-pair.ts";
import type { Address } from "../wire/address.ts";
import { CloseCode } from "../wire/close-code.ts";
import type { LinkEvent } from "./api.ts";
import { Upstream } from "./upstream.ts";

const NOWHERE: Address = { family: 4, ip: "10.0.0.9", port: 4000 };

/** Alice keeps up a way to `edges`; of them only Bob exists. */
function setup(pair: Pair, edges: readonly Address[]) {
  const events: LinkEvent[] = [];
  const opened: number[] = [];
  const { a } = pair;
  const upstream = new Upstream(a.context, ms(0), {
    edges,
    host: a,
    ack: ACK_FAST,
    params: () => ({ role: "viewer", stream: "live/a", agent: "alice", node: a.node }),
    opened: (now) => opened.push(now),
    event: (event) => events.push(event),
  } as ConstructorParameters<typeof Upstream>[2]);
  a.connector = {
    nextTimeout: () => upstream.nextTimeout(),
    handleTimeout: (now: never) => upstream.handleTimeout(now),
    handleDatagram: (now: never, from: never, data: never) =>
      upstream.handleDatagram(now, from, data),
  } as never;
  a.handleClosed = (now, session, code, detail) =>
    upstream.handleClosed(now, session, code, detail);
  pair.alice.command((_alice, now) => upstream.handleTimeout(now));
  return { upstream, events, opened };
}

describe("a way to the edge", () => {
  test("stands once a session does", () => {
    const pair = new Pair();
    const { upstream, events, opened } = setup(pair, [BOB]);
    pair.pass(200);
    expect(events).toMatchObject([{ type: "connected" }]);
    expect(opened.length).toBe(1);
    expect(upstream.session?.isOpen).toBe(true);
  });

  test("tries the next edge when one does not answer", () => {
    const pair = new Pair();
    const { events } = setup(pair, [NOWHERE, BOB]);
    pair.pass(12_000);
    expect(events.map(({ type }) => type)).toEqual(["refused", "connected"]);
  });

  test("is had again after an outage, and after the other side has closed", () => {
    const pair = new Pair();
    const { events } = setup(pair, [BOB]);
    pair.pass(500);
    pair.drop = () => true;
    pair.pass(4000);
    pair.drop = () => false;
    pair.pass(4000);
    expect(events.map(({ type }) => type)).toEqual(["connected", "disconnected", "connected"]);
    pair.bob.command((bob, now) => bob.session.close(now, CloseCode.shuttingDown, ""));
    pair.pass(1000);
    expect(events.slice(3).map(({ type }) => type)).toEqual(["disconnected", "connected"]);
  });

  test("gives up for good when asking again cannot help, and asks on when it can", () => {
    const refusals = [
      [CloseCode.wrongKey, true],
      [CloseCode.unknownStream, true],
      [CloseCode.notWanted, true],
      [CloseCode.overloaded, false],
    ] as const;
    for (const [refuse, final] of refusals) {
      const pair = new Pair({ admit: () => ({ refuse, reason: "no", retryMs: 100 }) });
      const { upstream, events } = setup(pair, [BOB]);
      pair.pass(5000);
      expect(events[0]).toMatchObject({ type: "refused", final });
      expect(events.length === 1).toBe(final);
      expect(upstream.nextTimeout() === NEVER).toBe(final);
    }
  });

  test("closed, it says so and stays closed", () => {
    const pair = new Pair();
    const { upstream } = setup(pair, [BOB]);
    pair.pass(500);
    pair.alice.command((_alice, now) => upstream.close(now));
    pair.pass(5000);
    expect(pair.b.closed).toMatchObject([{ code: CloseCode.done }]);
    expect([pair.a.context.sessionCount, upstream.nextTimeout()]).toEqual([0, NEVER]);
  });
});
