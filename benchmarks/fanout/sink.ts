/**
 * The receivers of the `fanout` bench, as little of them as will do: sockets that drain, note the packet numbers of
 * each session and acknowledge as a viewer's session does. `sink.ts SOCKETS RECEIVERS LOSS` prints its ports as JSON,
 * then on SIGTERM what came. A share of packets is taken for lost, so that the edge has to repeat them.
 */
import { Prng } from "../../runtime/base/prng.ts";
import { bindUdp } from "../../runtime/io/bind-udp.ts";
import { systemClock } from "../../runtime/io/clock.ts";
import { DatagramBatch } from "../../runtime/io/datagram-batch.ts";
import type { UdpSocket } from "../../runtime/io/udp.ts";
import { createHotPath } from "../../runtime/wasm/create.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { cidLo, encodeIdHead, ID_BYTES, PacketType, u16 } from "../../runtime/wire/packet.ts";

const ACK_EVERY = 8;
const EDGE_ID_HIGH = 1;

const [sockets = 1, receivers = 1, loss = 0] = process.argv.slice(2).map(Number);
const hot = createHotPath({ memoryMiB: 16 });
const random = new Prng(1);
const sessions = Array.from({ length: receivers }, () => hot.sessionOpen());
const got = { datagrams: 0, bytes: 0, acks: 0, lost: 0, fresh: 0 };
const ports: number[] = [];

for (let i = 0; i < sockets; i++) {
  const socket = await bindUdp({ host: "127.0.0.1", port: 0 });
  const batch = new DatagramBatch();
  socket.onDatagrams({
    handleDatagram: (from, data) => take(socket, batch, from, data),
    handleError: (error) => console.error(error),
  });
  setInterval(() => flush(socket, batch), 2);
  ports.push(socket.localAddress.port);
}
console.log(JSON.stringify(ports));
process.on("SIGTERM", () => {
  console.log(JSON.stringify(got));
  process.exit(0);
});

function take(socket: UdpSocket, batch: DatagramBatch, from: Address, data: Uint8Array): void {
  got.datagrams++;
  got.bytes += data.length;
  const type = data[0];
  if (type !== PacketType.DATA && type !== PacketType.BUNDLE && type !== PacketType.CONTROL) return;
  const id = cidLo(data);
  const session = sessions[id - 1];
  if (session === undefined) return;
  if (loss > 0 && random.next() < loss) {
    got.lost++;
    return;
  }
  const now = systemClock.now();
  const result = hot.packetReceived(session, now, u16(data, ID_BYTES));
  if (result >= 0) got.fresh++;
  if (result !== 1 && hot.ackPending(session) < ACK_EVERY) return;
  const at = hot.headerArenaPtr;
  const body = encodeIdHead(hot.bytes, at, PacketType.ACK, EDGE_ID_HIGH, id);
  const end = body + hot.ackBuild(session, now, body);
  if (batch.isFull) flush(socket, batch);
  batch.add(from, hot.bytes.subarray(at, end));
  got.acks++;
}

function flush(socket: UdpSocket, batch: DatagramBatch): void {
  if (batch.count > 0) socket.send(batch);
}
