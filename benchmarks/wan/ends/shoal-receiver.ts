/**
 * Shoal's edge on a socket, with nobody who watches: `shoal-receiver.ts HOST PORT BYTES`. A frame counts from the
 * moment its last fragment is filed, when it could be passed on.
 */
import { Inserted } from "../../../runtime/core/hot-path/hot-path.ts";
import { bindUdp } from "../../../runtime/io/bind-udp.ts";
import { systemClock } from "../../../runtime/io/clock.ts";
import { runNode } from "../../../runtime/io/driver.ts";
import { systemRandom } from "../../../runtime/io/entropy.ts";
import { Edge } from "../../../runtime/node/edge/edge.ts";
import { createHotPath } from "../../../runtime/wasm/create.ts";
import { fragmentsOf } from "../../../runtime/wire/segment.ts";
import { FrameNotes } from "./pace.ts";

const [host = "", port = "", bytes = ""] = process.argv.slice(2);
const fragments = fragmentsOf(Number(bytes));
const notes = new FrameNotes();
const hot = createHotPath({ memoryMiB: 512 });
const insert = hot.fragmentInsert.bind(hot);
hot.fragmentInsert = (store, number, index, total, flags, slot, now) => {
  const result = insert(store, number, index, total, flags, slot, now);
  if (result === Inserted.completed) notes.note((number - index) / fragments);
  return result;
};

const edge = new Edge(
  { hot, random: systemRandom, bootEpoch: 1 },
  {
    keyOf: () => "",
    maxViewers: 0,
    retainMs: 5000,
    groupMsMax: 12_000,
    agent: "shoal-bench",
  },
);
runNode({
  node: edge,
  udp: await bindUdp({ host, port: Number(port) }),
  clock: systemClock,
  hot,
  onEvent: () => {},
  onError: (error) => console.error(error),
});
console.log("ready");
