import { expect, test } from "bun:test";
import { AddressTable, systemAddress } from "./address-table.ts";

test("gives one object per address", () => {
  const table = new AddressTable();
  const a = table.intern("192.0.2.1", 5);
  expect(table.intern("192.0.2.1", 5)).toBe(a);
  expect(table.intern("192.0.2.1", 6)).not.toBe(a);
  expect(a).toEqual({ family: 4, ip: "192.0.2.1", port: 5 });
});

test("writes v4-mapped addresses as IPv4 and drops zones", () => {
  expect(systemAddress("::ffff:192.0.2.1", 5)).toEqual({ family: 4, ip: "192.0.2.1", port: 5 });
  expect(systemAddress("fe80::1%eth0", 5)).toEqual({ family: 6, ip: "fe80::1", port: 5 });
  expect(systemAddress("::ffff:0:1", 5)).toEqual({ family: 6, ip: "::ffff:0:1", port: 5 });
});

test("starts over when full, so that a flood of senders costs bounded memory", () => {
  const table = new AddressTable(100);
  for (let i = 0; i < 1000; i++) table.intern(`192.0.2.${i % 250}`, 1 + i);
  expect(table.size).toBeLessThanOrEqual(100);
  expect(table.intern("192.0.2.9", 9)).toEqual({ family: 4, ip: "192.0.2.9", port: 9 });
});
