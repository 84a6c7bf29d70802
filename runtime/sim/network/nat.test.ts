import { describe, expect, test } from "bun:test";
import { Prng } from "../../base/prng.ts";
import { createTwinHotPath } from "../../core/hot-path/hot-path-twin.ts";
import type { Address } from "../../wire/address.ts";
import { EventQueue } from "../event-queue.ts";
import { HostRole } from "./host-role.ts";
import { IDEAL } from "./link.ts";
import { MAPPING_MS, NAT_KINDS, type NatKind } from "./nat.ts";
import { type Host, Network } from "./network.ts";

const hot = createTwinHotPath({ memoryMiB: 2 });

/** Hosts that write down from whom they hear. */
class Bench {
  readonly queue = new EventQueue();
  readonly heard: [Host, Address][] = [];
  readonly network = new Network({
    queue: this.queue,
    random: new Prng(1),
    isTraced: false,
    onMedia: () => {},
    deliver: (_, host, from) => this.heard.push([this.network.hosts[host] as Host, from]),
  });
  now = 0;

  host(number: number, nat: NatKind): Host {
    const address: Address = { family: 4, ip: `10.0.0.${number}`, port: 9 };
    const host = this.network.addHost({
      address,
      up: IDEAL,
      down: IDEAL,
      region: 0,
      hot,
      role: HostRole.peer,
      nat: { kind: nat, outerIp: `198.51.100.${number}` },
    });
    host.isListening = true;
    return host;
  }

  /**
   * What `to` hears of a datagram sent now: the sender's address, or undefined when it does not
   * come.
   */
  write(from: Host, to: Address): Address | undefined {
    const place = { headPtr: hot.headerArenaPtr, headLength: 9, slot: 0 };
    this.network.send(this.now, from, { kind: "transmit", to: { ...to }, ...place });
    this.heard.length = 0;
    while (this.queue.pop()) {
      this.network.handleEvent(this.queue.time, this.queue.kind, this.queue.argument);
    }
    return this.heard[0]?.[1];
  }
}

describe("a NAT", () => {
  test("hides the host's own address", () => {
    const bench = new Bench();
    const inner = bench.host(1, "fullCone");
    const server = bench.host(2, "open");
    const outer = bench.write(inner, server.address);
    expect(outer?.ip).toBe("198.51.100.1");
    expect(bench.write(server, inner.address)).toBeUndefined();
    expect(bench.write(server, outer as Address)).toMatchObject({ ip: "10.0.0.2", port: 9 });
  });

  test("keeps one outer address for all, but for the symmetric", () => {
    for (const kind of NAT_KINDS.slice(1)) {
      const bench = new Bench();
      const inner = bench.host(1, kind);
      const [a, b] = [bench.host(2, "open"), bench.host(3, "open")];
      const [asSeenByA, asSeenByB] = [bench.write(inner, a.address), bench.write(inner, b.address)];
      const isSame = asSeenByA?.port === asSeenByB?.port;
      expect([kind, isSame]).toEqual([kind, kind !== "symmetric"]);
      expect(bench.write(inner, a.address)?.port).toBe(asSeenByA?.port as number);
    }
  });

  test("lets in whom its kind lets in", () => {
    const lets: Record<string, [stranger: boolean, otherPort: boolean, known: boolean]> = {};
    for (const kind of NAT_KINDS.slice(1)) {
      const bench = new Bench();
      const inner = bench.host(1, kind);
      const server = bench.host(2, "open");
      const stranger = bench.host(3, "open");
      /*
       * A neighbour behind a symmetric router writes from another port than the one `inner` wrote
       * to.
       */
      const neighbour = bench.host(4, "symmetric");
      const neighbourAtServer = bench.write(neighbour, server.address) as Address;
      const outer = bench.write(inner, server.address) as Address;
      bench.write(inner, neighbourAtServer);
      lets[kind] = [
        bench.write(stranger, outer) !== undefined,
        bench.write(neighbour, outer) !== undefined,
        bench.write(server, outer) !== undefined,
      ];
    }
    expect(lets).toEqual({
      fullCone: [true, true, true],
      restricted: [false, true, true],
      portRestricted: [false, false, true],
      symmetric: [false, false, true],
    });
  });

  test("two port-restricted hosts meet once both have written", () => {
    const bench = new Bench();
    const [a, b] = [bench.host(1, "portRestricted"), bench.host(2, "portRestricted")];
    const server = bench.host(3, "open");
    const [outerA, outerB] = [bench.write(a, server.address), bench.write(b, server.address)];
    expect(bench.write(a, outerB as Address)).toBeUndefined();
    expect(bench.write(b, outerA as Address)).toEqual(outerB as Address);
    expect(bench.write(a, outerB as Address)).toEqual(outerA as Address);
  });

  test("forgets what is not used", () => {
    const bench = new Bench();
    const inner = bench.host(1, "fullCone");
    const server = bench.host(2, "open");
    const outer = bench.write(inner, server.address) as Address;
    bench.now = MAPPING_MS - 1;
    expect(bench.write(server, outer)).toBeDefined();
    bench.now = MAPPING_MS + 1;
    expect(bench.write(server, outer)).toBeUndefined();
    expect(bench.write(inner, server.address)?.port).not.toBe(outer.port);
  });
});
