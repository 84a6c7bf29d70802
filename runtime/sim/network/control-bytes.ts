/**
 * IP bytes of packets without media at the peers, in and out, by kind of packet and by who is at the other end: where
 * the control ratio comes from. Totals alone do not say which timer to lengthen.
 */
import { PacketType } from "../../wire/packet.ts";
import { HostRole, ROLES } from "./host-role.ts";

/** Packet types are below this (docs/WIRE.md). */
const TYPES = 0x40;
const ROLE_NAMES: Readonly<Record<HostRole, string>> = {
  [HostRole.publisher]: "publisher",
  [HostRole.edge]: "edge",
  [HostRole.peer]: "peer",
};

export class ControlBytes {
  readonly #bytes = new Float64Array(TYPES * ROLES);

  /** A packet of the type that a peer sends to, or is handed from, a host of the role. */
  count(type: number, other: HostRole, bytes: number): void {
    const at = (type & (TYPES - 1)) * ROLES + other;
    this.#bytes[at] = (this.#bytes[at] as number) + bytes;
  }

  /** So far, by role and name of type, e.g. "peer MAP"; kinds that did not occur are left out. */
  snapshot(): ReadonlyMap<string, number> {
    const sums = new Map<string, number>();
    for (const [name, type] of Object.entries(PacketType)) {
      for (let role = 0; role < ROLES; role++) {
        const bytes = this.#bytes[type * ROLES + role] as number;
        if (bytes > 0) sums.set(`${ROLE_NAMES[role as HostRole]} ${name}`, bytes);
      }
    }
    return sums;
  }
}
