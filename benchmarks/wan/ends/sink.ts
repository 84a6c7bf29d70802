/** Notes the frames that come to a port: `sink.ts udp|tcp HOST PORT BYTES`. Says `ready` when it listens. */
import { createServer } from "node:net";
import { DATAGRAM_BYTES, FrameNotes } from "./pace.ts";

const [kind = "", host = "", port = "", bytes = ""] = process.argv.slice(2);
const frameBytes = Number(bytes);
const notes = new FrameNotes();

if (kind === "udp") {
  const datagrams = Math.ceil(frameBytes / DATAGRAM_BYTES);
  const came = new Map<number, number>();
  await Bun.udpSocket({
    hostname: host,
    port: Number(port),
    socket: {
      data(_socket, data) {
        const frame = data.readUInt32BE();
        const count = (came.get(frame) ?? 0) + 1;
        came.set(frame, count);
        if (count === datagrams) notes.note(frame);
      },
    },
  });
  console.log("ready");
} else {
  const server = createServer((socket) => {
    let received = 0;
    let whole = 0;
    socket.on("data", (data) => {
      received += data.length;
      for (; (whole + 1) * frameBytes <= received; whole++) notes.note(whole);
    });
    socket.on("error", () => {});
  });
  server.listen(Number(port), host, () => console.log("ready"));
}
