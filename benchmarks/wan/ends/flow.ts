/**
 * A greedy TCP flow beside a stream: `flow.ts take HOST PORT` says each second how many bytes have come so far;
 * `flow.ts give HOST PORT` sends as much as it can. Both until their standard input ends.
 */
import { connect, createServer } from "node:net";

const [kind = "", host = "", port = ""] = process.argv.slice(2);
const CHUNK = Buffer.alloc(64 * 1024);
process.stdin.on("end", () => process.exit(0)).resume();

if (kind === "take") {
  let bytes = 0;
  const server = createServer((socket) => {
    socket.on("data", (data) => {
      bytes += data.length;
    });
    socket.on("error", () => {});
  });
  server.listen(Number(port), host, () => console.log("ready"));
  setInterval(() => console.log(JSON.stringify({ bytes, atMs: performance.now() })), 1000);
} else {
  const socket = connect({ host, port: Number(port) });
  const fill = (): void => {
    while (socket.write(CHUNK)) {
      /* until its buffer is full */
    }
  };
  socket.on("connect", fill).on("drain", fill);
}
