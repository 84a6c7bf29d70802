import { beforeEach, describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";
import type { ControlMessage } from "../../wire/control.ts";
import type { ReportPacket } from "../../wire/swarm.ts";
import type { Outlet } from "../edge/outlet.ts";
import { createSwarmParams } from "../swarm-params.ts";
import { EdgeSwarm } from "./edge-swarm.ts";

const PARAMS = createSwarmParams({
  subStreams: 2,
  childrenFirst: 2,
  childrenMax: 8,
  smallRoom: 3,
  rampMs: 500,
  recruitMs: 500,
  bitrateGuessBps: 80_000,
});
const ALL = 0b11;

interface Viewer {
  readonly id: number;
  readonly session: Session;
  readonly node: Uint8Array;
  readonly said: ControlMessage[];
}

function viewer(id: number): Viewer {
  const said: ControlMessage[] = [];
  const session = {
    address: { family: 4, ip: `192.0.2.${id}`, port: 4000 },
    sendControl: (_now: unknown, message: ControlMessage) => said.push(message),
  } as unknown as Session;
  const node = new Uint8Array(8).fill(id);
  new DataView(node.buffer).setUint32(4, id);
  return { id, session, node, said };
}

describe("the edge's swarm", () => {
  let swarm: EdgeSwarm;
  let receivers: Map<Session, { mask: number }>;
  let outlet: object;
  let viewers: Viewer[];

  beforeEach(() => {
    receivers = new Map();
    viewers = [];
    outlet = {
      bitrateBps: 80_000,
      receivers,
      source: undefined,
      burstBytes: () => 1000,
      add: (_now: unknown, session: Session, { mask }: { mask: number }) => {
        receivers.set(session, { mask });
      },
    };
    swarm = new EdgeSwarm(outlet as unknown as Outlet, new Prng(5), PARAMS);
  });

  function join(now: number, count: number): Viewer[] {
    const joined = Array.from({ length: count }, (_, i) => viewer(viewers.length + i + 1));
    viewers.push(...joined);
    for (const { session, node } of joined) swarm.join(ms(now), session, node, 1);
    return joined;
  }

  function report(now: number, { session }: Viewer, over: Partial<ReportPacket> = {}): void {
    const calm = { limitBps: 8_000_000, pushBps: 0, queueMs: 0, congested: false };
    swarm.handleReport(ms(now), session, { ...calm, ...over } as ReportPacket);
  }

  /** Six viewers, of whom only the first carries anything; everybody else becomes its child. */
  function oneHolder(): { holder: Viewer; guests: Viewer[] } {
    const [holder, ...guests] = join(0, 6) as [Viewer, ...Viewer[]];
    report(1000, holder);
    for (let at = 2000; at < 8000; at += 500) {
      swarm.tick(ms(at));
      report(at, holder);
    }
    return { holder, guests };
  }

  const feeder = ({ session }: Viewer, k = 0) => swarm.feederOf(session, k);
  const superNodes = () => swarm.superNodes();

  test("pushes everything to the first viewers", () => {
    const [first] = join(0, 2);
    expect(first?.said.map(({ t }) => t)).toEqual(["welcome"]);
    expect(receivers.get((first as Viewer).session)?.mask).toBe(ALL);
    expect(swarm.slotCount).toBe(0);
  });

  test("recruits those who can spare something, never who only consumes or pays for it", () => {
    const [able, consumer, metered] = join(0, 6) as [Viewer, Viewer, Viewer];
    report(1000, able);
    report(1000, consumer, { consumeOnly: true });
    report(1000, metered, { metered: true });
    swarm.tick(ms(2000));
    expect(superNodes()).toEqual([able.session]);
    expect(able.said.some(({ t }) => t === "recruit")).toBe(true);
  });

  test("gives a slot more children step by step while its uplink bears it", () => {
    const [holder] = join(0, 8) as [Viewer];
    report(1000, holder);
    const children = () => viewers.filter((each) => feeder(each) === holder.session).length;
    swarm.tick(ms(2000));
    expect(children()).toBe(PARAMS.childrenFirst);
    report(2400, holder);
    swarm.tick(ms(2500));
    expect(children()).toBe(PARAMS.childrenFirst);
    report(2600, holder);
    swarm.tick(ms(3000));
    expect(children()).toBeGreaterThan(PARAMS.childrenFirst);
  });

  test("takes the children of a holder that leaves back, all of them", () => {
    const { holder, guests } = oneHolder();
    for (const guest of guests) expect(feeder(guest)).toBe(holder.session);
    for (const { session } of guests) receivers.set(session, { mask: 0 });
    swarm.leave(ms(9000), holder.session);
    for (const guest of guests) {
      expect(feeder(guest)).toBeUndefined();
      expect(receivers.get(guest.session)?.mask).toBe(ALL);
    }
    expect(swarm.slotCount).toBe(0);
  });

  test("reassigns them to another holder when there is one", () => {
    const { holder, guests } = oneHolder();
    const other = guests[0] as Viewer;
    report(8000, other);
    swarm.leave(ms(9000), holder.session);
    for (let at = 9000; at < 14_000; at += 500) {
      swarm.tick(ms(at));
      report(at, other);
    }
    for (const guest of guests.slice(1)) expect(feeder(guest)).toBe(other.session);
  });

  test("calls a holder gone that its children had and lost, not one that strangers cannot reach", () => {
    const { holder, guests } = oneHolder();
    for (const { session } of guests) swarm.handleOrphan(ms(8000), session, ALL, holder.node);
    expect(superNodes()).toEqual([holder.session]);

    for (const guest of guests) expect(feeder(guest)).toBeUndefined();
    const later = join(9000, 5);
    for (let at = 9000; at < 12_000; at += 500) {
      swarm.tick(ms(at));
      report(at, holder);
    }
    for (const { session } of later) swarm.handleRelease(session, ALL);
    for (const guest of later) expect(feeder(guest)).toBe(holder.session);
    for (const { session } of later) swarm.handleOrphan(ms(12_000), session, ALL, holder.node);
    expect(superNodes()).toEqual([]);
  });

  test("does not send a guest again to whom it could not reach", () => {
    const { holder, guests } = oneHolder();
    const guest = guests[0] as Viewer;
    swarm.handleOrphan(ms(8000), guest.session, ALL, holder.node);
    for (let at = 8000; at < 30_000; at += 500) swarm.tick(ms(at));
    expect(feeder(guest)).toBeUndefined();
  });

  test("believes a train of packets: no ramp for who has shown a fast uplink", () => {
    const [holder] = join(0, 8) as [Viewer];
    Object.assign(holder.session, { train: { rateBps: 10_000_000 } });
    report(1000, holder, { limitBps: 0 });
    const children = () => viewers.filter((each) => feeder(each) === holder.session).length;
    swarm.tick(ms(2000));
    expect(children()).toBe(7);
  });

  /** `count` slots of sub-stream 0 and of 1, one after the other. */
  function holdersFor(count: number, eachMs: number): Viewer[] {
    const holders = viewers.slice(0, count);
    for (const [i, holder] of holders.entries()) {
      report(1000 + i * eachMs, holder, { limitBps: 250_000 });
      swarm.tick(ms(1500 + i * eachMs));
    }
    return holders;
  }

  test("merges a slot into the others once these have room for all its children", () => {
    join(0, 9);
    const small = holdersFor(3, 1000);
    let most = 0;
    const large = viewers[3] as Viewer;
    for (let at = 5000; at < 30_000; at += 500) {
      report(at, large);
      for (const each of small) report(at, each, { limitBps: 250_000 });
      swarm.tick(ms(at));
      most = Math.max(most, swarm.slotCount);
    }
    expect(swarm.slotCount).toBeLessThan(most);
    expect(superNodes()).toContain(large.session);
    for (const { session } of viewers) {
      const isCarrier = superNodes().includes(session);
      expect(swarm.feederOf(session, 0) !== undefined || isCarrier).toBe(true);
    }
  });

  test("asks somebody else when several members reach none of those who carry", () => {
    const { holder, guests } = oneHolder();
    const [other, ...cut] = guests as [Viewer, ...Viewer[]];
    for (const { session } of cut) swarm.handleOrphan(ms(8000), session, ALL, holder.node);
    for (let at = 8000; at < 30_000; at += 500) {
      report(at, holder);
      report(at, other);
      swarm.tick(ms(at));
    }
    for (const guest of cut) expect(feeder(guest)).toBe(other.session);
  });

  test("places a crowd over several ticks, those who cannot be placed behind the others", () => {
    const params = createSwarmParams({ ...PARAMS, childrenMax: 255, recruitMs: 500 });
    swarm = new EdgeSwarm(outlet as unknown as Outlet, new Prng(5), params);
    join(0, 1200);
    const holders = viewers.slice(0, 24);
    for (const { session } of holders) Object.assign(session, { train: { rateBps: 20_000_000 } });
    for (const holder of holders) report(1000, holder, { limitBps: 0 });
    const fed = () => viewers.filter((each) => feeder(each) !== undefined).length;
    swarm.tick(ms(2000));
    const first = fed();
    expect(first).toBeGreaterThan(100);
    expect(first).toBeLessThanOrEqual(512);
    for (const holder of holders) report(2400, holder, { limitBps: 0 });
    swarm.tick(ms(2500));
    expect(fed()).toBeGreaterThan(first + 100);
  });

  test("relieves a slot that stays idle, not before it had its time", () => {
    const { holder, guests } = oneHolder();
    for (const { session } of guests) swarm.leave(ms(8000), session);
    swarm.tick(ms(8500));
    expect(superNodes()).toEqual([holder.session]);
    for (let at = 9000; at < 14_000; at += 500) swarm.tick(ms(at));
    expect(swarm.slotCount).toBe(0);
    expect(swarm.reliefs).toBe(PARAMS.subStreams);
  });

  test("introduces a joiner to peers, each side to the other", () => {
    join(0, 5);
    for (const { said } of viewers) said.length = 0;
    const [late] = join(1000, 1) as [Viewer];
    const named = late.said.find(({ t }) => t === "peers");
    expect(named).toBeDefined();
    const told = viewers.filter(({ said }) => said.some(({ t }) => t === "expect"));
    expect(told.length).toBe(named?.t === "peers" ? named.list.length : 0);
  });

  test("introduces no two again for a while, and to nobody who uploads nothing", () => {
    const [asker, ...rest] = join(0, 6) as [Viewer, ...Viewer[]];
    const [mobile, ...able] = rest as [Viewer, ...Viewer[]];
    const named = (): number[] => {
      const lists = asker.said.splice(0).flatMap((each) => (each.t === "peers" ? each.list : []));
      return lists.map(({ node }) => node[0] as number).sort();
    };
    const ask = (now: number): void => {
      for (let i = 0; i < 5; i++) swarm.handleWantPeers(ms(now), asker.session, 8);
    };
    /* Those who came later have been introduced to the first one. */
    ask(1000);
    const before = named();
    report(50_000, mobile, { consumeOnly: true });
    ask(50_000);
    expect(named()).toEqual([]);
    ask(62_000);
    expect(named()).toEqual(able.map(({ id }) => id));
    expect(before.length).toBeLessThan(rest.length);
  });
});
