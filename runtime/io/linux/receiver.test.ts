import { describe, expect, test } from "bun:test";
import { AddressTable } from "../address-table.ts";
import { bindUdp } from "../bind-udp.ts";
import { DatagramBatch } from "../datagram-batch.ts";
import { HeardAddresses } from "./sockaddrs.ts";

describe.skipIf(process.platform !== "linux")("taking datagrams in at once", () => {
  test("gives each with its sender, says whether more follow, and then nothing", async () => {
    for (const host of ["127.0.0.1", "::"]) {
      const [a, b] = [
        await bindUdp({ host: "127.0.0.1", port: 0, sendBy: "segments" }),
        await bindUdp({ host, port: 0, sendBy: "segments" }),
      ];
      const got: [number, number, boolean][] = [];
      b.onDatagrams({
        handleDatagram: (from, data, hasMore = false) => {
          expect(from).toEqual(a.localAddress);
          got.push([data.length, data[0] as number, hasMore]);
        },
        handleError: () => {},
      });
      const to = { family: 4, ip: "127.0.0.1", port: b.localAddress.port } as const;
      const batch = new DatagramBatch();
      for (let i = 0; i < 40; i++) batch.add(to, new Uint8Array(40 + i * 29).fill(i));
      a.send(batch);
      /* Loopback delivers within the call, and the event loop has had no turn since. */
      expect(b.receiveNow?.()).toBe(false);
      expect(got).toEqual(Array.from({ length: 40 }, (_, i) => [40 + i * 29, i, i < 39]));
      expect(b.receiveNow?.()).toBe(false);
      for (let i = 0; i < 64; i++) batch.add(to, new Uint8Array(5));
      a.send(batch);
      expect(b.receiveNow?.()).toBe(true);
      expect(b.counters.datagramsIn).toBe(104);
      a.close();
      b.close();
    }
  });
});

test("addresses are read as the system writes them, and each is one object", () => {
  const heard = new HeardAddresses(new AddressTable());
  const four = Uint8Array.of(2, 0, 0x12, 0x34, 192, 168, 1, 200);
  expect(heard.read(four, 0)).toEqual({ family: 4, ip: "192.168.1.200", port: 0x1234 });
  expect(heard.read(four, 0)).toBe(heard.read(four, 0));
  const six = new Uint8Array(28);
  six.set([10, 0, 0, 80]);
  six.set([0x20, 0x01, 0x0d, 0xb8], 8);
  six[23] = 1;
  expect(heard.read(six, 0)).toEqual({ family: 6, ip: "2001:db8::1", port: 80 });
  six.fill(0, 8);
  six.set([0xff, 0xff, 10, 0, 0, 7], 18);
  expect(heard.read(six, 0)).toEqual({ family: 4, ip: "10.0.0.7", port: 80 });
  expect(heard.read(new Uint8Array(28), 0)).toBeUndefined();
});
