/**
 * Who in a stream's swarm may get to know whom: one side gets the other's addresses and a ticket, the other side is
 * told to expect it (docs/SWARM.md).
 */
import type { Ms } from "../../base/time.ts";
import { makeTicket, type PeerRef, TICKET_BYTES } from "../../wire/swarm.ts";
import type { SwarmRoom } from "./edge-swarm-room.ts";
import type { Member } from "./member.ts";

const NO_TICKET = new Uint8Array(TICKET_BYTES);

export class Introductions {
  readonly #room: SwarmRoom;

  constructor(room: SwarmRoom) {
    this.#room = room;
  }

  refFor(peer: Member, asker: Member): PeerRef {
    const ticket = makeTicket(peer.ticketKey, asker.node, asker.session.address.ip);
    return { node: peer.node, ticket, region: peer.region, addresses: peer.addresses };
  }

  expect(now: Ms, host: Member, guest: Member): void {
    const { node, region, addresses } = guest;
    const list = [{ node, ticket: NO_TICKET, region, addresses }];
    host.session.sendControl(now, { t: "expect", list });
  }

  /**
   * Names `count` peers to a member: near ones and some at random, none twice within a while. Who uploads nothing is
   * named to nobody: it has nothing to give, and asks for neighbours of its own.
   */
  introduce(now: Ms, member: Member, count: number): void {
    if (this.#room.list.length < this.#room.params.smallRoom) return;
    const chosen = new Set<Member>();
    const randomCount = Math.ceil(count * this.#room.params.candidatesRandomShare);
    for (let i = 0; i < count * 6 && chosen.size < count; i++) {
      const peer = this.#room.list[this.#room.random.below(this.#room.list.length)] as Member;
      if (peer === member || peer.report?.consumeOnly === true) continue;
      if (member.isAvoiding(now, peer) || member.wasIntroduced(now, peer)) continue;
      if (peer.region !== member.region && chosen.size >= randomCount && i < count * 4) continue;
      chosen.add(peer);
    }
    if (chosen.size === 0) return;
    const list = [...chosen].map((peer) => this.refFor(peer, member));
    member.session.sendControl(now, { t: "peers", list });
    for (const peer of chosen) {
      member.noteIntroduced(now, peer);
      peer.noteIntroduced(now, member);
      this.expect(now, peer, member);
    }
  }
}
