/**
 * Sends the stream's frames to a port: `feeder.ts udp|tcp HOST PORT FRAMES FPS BYTES`. Over UDP as datagrams that
 * begin with the frame's number, for programs that carry those on; over TCP as bytes alone.
 */
import { connect } from "node:net";
import { DATAGRAM_BYTES, sendFrames } from "./pace.ts";

const [kind = "", host = "", ...rest] = process.argv.slice(2);
const [port = 0, frames = 0, fps = 0, frameBytes = 0] = rest.map(Number);
const spec = { frames, fps, frameBytes };

if (kind === "udp") {
  const socket = await Bun.udpSocket({ connect: { hostname: host, port } });
  await sendFrames(spec, (frame) => {
    for (let left = frameBytes; left > 0; left -= DATAGRAM_BYTES) {
      const datagram = Buffer.alloc(Math.min(left, DATAGRAM_BYTES));
      datagram.writeUInt32BE(frame);
      socket.send(datagram);
    }
  });
  socket.close();
} else {
  const socket = connect({ host, port, noDelay: true });
  await new Promise((resolve) => socket.once("connect", resolve));
  const body = Buffer.alloc(frameBytes);
  await sendFrames(spec, () => socket.write(body));
  /* What still waits has as long as the receiver listens. */
  process.stdin.on("end", () => process.exit(0)).resume();
}
