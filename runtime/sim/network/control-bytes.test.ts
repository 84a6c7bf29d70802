import { expect, test } from "bun:test";
import { PacketType } from "../../wire/packet.ts";
import { ControlBytes } from "./control-bytes.ts";
import { HostRole } from "./host-role.ts";

test("bytes add up by kind of packet and by who is at the other end", () => {
  const bytes = new ControlBytes();
  bytes.count(PacketType.MAP, HostRole.peer, 60);
  bytes.count(PacketType.MAP, HostRole.peer, 40);
  bytes.count(PacketType.ACK, HostRole.edge, 56);
  bytes.count(PacketType.TRAIN, HostRole.edge, 1228);
  expect(Object.fromEntries(bytes.snapshot())).toEqual({
    "peer MAP": 100,
    "edge ACK": 56,
    "edge TRAIN": 1228,
  });
});
