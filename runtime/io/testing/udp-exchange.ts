/**
 * A program for udp-node.test.ts: two sockets exchange datagrams on whatever runtime runs it, and
 * what came of it is printed as one line of JSON.
 */
import { bindUdp } from "../bind-udp.ts";
import { DatagramBatch } from "../datagram-batch.ts";
import { runNode } from "../driver.ts";

const COUNT = 200;

/* Only mentioned, so that the run loop is part of the bundle and is seen to load. */
void runNode;

const a = await bindUdp({ host: "127.0.0.1", port: 0 });
const b = await bindUdp({ host: "::", port: 0 });
const to = { family: 4, ip: "127.0.0.1", port: b.localAddress.port } as const;
const got: string[] = [];
const from = new Set<string>();

b.onDatagrams({
  handleDatagram: (sender, data) => {
    got.push(new TextDecoder().decode(data));
    from.add(`${sender.family} ${sender.ip}:${sender.port}`);
    if (got.length === COUNT) finish();
  },
  handleError: (error) => {
    throw error;
  },
});

const batch = new DatagramBatch();
for (let i = 0; i < COUNT; i++) {
  if (batch.isFull) a.send(batch);
  batch.add(to, new TextEncoder().encode(`${i}`));
}
a.send(batch);

function finish(): void {
  const expected = `4 127.0.0.1:${a.localAddress.port}`;
  const inOrder = got.every((text, i) => text === `${i}`);
  const runtime = process.versions.bun === undefined ? "node" : "bun";
  const report = {
    runtime,
    count: got.length,
    inOrder,
    fromIsRight: from.has(expected) && from.size === 1,
  };
  console.log(JSON.stringify(report));
  a.close();
  b.close();
}
