import { expect, test } from "bun:test";
import type { Address } from "../../wire/address.ts";
import { bindUdp } from "../bind-udp.ts";
import { DatagramBatch } from "../datagram-batch.ts";
import { GsoSender } from "./gso-sender.ts";
import { Sockaddrs } from "./sockaddrs.ts";
import { answeringCalls } from "./testing-calls.ts";

const A: Address = { family: 4, ip: "10.0.0.1", port: 1000 };
const B: Address = { family: 4, ip: "10.0.0.2", port: 2000 };
const V6: Address = { family: 6, ip: "2001:db8::1", port: 3000 };

/** A system that takes what `answers` says, call by call: so many messages, or minus an errno. */
function sender(answers: number[]) {
  const { asked, calls } = answeringCalls(answers);
  const addressOf = () => 0x10_0000_0000;
  return {
    asked,
    calls,
    gso: new GsoSender(calls, new Sockaddrs({ addressOf }, false), addressOf),
  };
}

function batchOf(...datagrams: [Address, number][]): DatagramBatch {
  const batch = new DatagramBatch(16);
  for (const [to, length] of datagrams) batch.add(to, new Uint8Array(length));
  return batch;
}

test("datagrams to one address go together until one is shorter, none longer", () => {
  const { asked, gso } = sender([]);
  expect(gso.send(batchOf([A, 900], [A, 900], [A, 100], [A, 100], [B, 100], [A, 50]))).toBe(6);
  expect(gso.send(batchOf([A, 100], [A, 900], [A, 900]))).toBe(3);
  expect(asked).toEqual([4, 2]);
});

test("what is not taken is told as the first datagram of the first message left", () => {
  const batch = () => batchOf([A, 900], [A, 900], [B, 900], [B, 900], [A, 10]);
  expect(sender([1, -11]).gso.send(batch())).toBe(2);
  expect(sender([-11]).gso.send(batch())).toBe(0);
  expect(sender([1, 2]).gso.send(batch())).toBe(5);
});

test("news of earlier datagrams costs another call; a refusal ends this way for good", () => {
  const news = sender([-111, 2]);
  expect(news.gso.send(batchOf([A, 1], [B, 1]))).toBe(2);
  expect(news.calls.isBroken).toBe(false);
  const refused = sender([1, -5]);
  expect(refused.gso.send(batchOf([A, 1], [B, 1]))).toBe(1);
  expect(refused.calls.isBroken).toBe(true);
});

test("an address of another family is left to others", () => {
  expect(sender([]).gso.send(batchOf([A, 1], [V6, 1], [A, 1]))).toBe(1);
});

test.skipIf(process.platform !== "linux")("messages come apart as they were put in", async () => {
  const from = await bindUdp({ host: "127.0.0.1", port: 0, sendBy: "segments" });
  const to = await bindUdp({ host: "127.0.0.1", port: 0 });
  expect(from.sendsBy).toBe("segments");
  expect(to.sendsBy).toBe("segments");
  const lengths = [1200, 1200, 1200, 300, 1200, 1, 1200, 1200, 1472, 7, 7, 7, 7];
  const got: string[] = [];
  const all = new Promise<void>((resolve) => {
    to.onDatagrams({
      handleDatagram: (_, data) => {
        got.push(`${data.length} ${data[0]} ${data.at(-1)}`);
        if (got.length === lengths.length) resolve();
      },
      handleError: (error) => {
        throw error;
      },
    });
  });
  const batch = new DatagramBatch();
  for (const [i, length] of lengths.entries()) {
    batch.add(to.localAddress, new Uint8Array(length).fill(i));
  }
  from.send(batch);
  await all;
  expect(got).toEqual(lengths.map((length, i) => `${length} ${i} ${i}`));
  expect(from.counters.datagramsOut).toBe(lengths.length);
  from.close();
  to.close();
});
