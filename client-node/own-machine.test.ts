import { expect, test } from "bun:test";
import type { NetworkInterfaceInfo } from "node:os";
import { createCpuShare, ownAddresses } from "./own-machine.ts";

function card(address: string, internal = false): NetworkInterfaceInfo {
  const family = address.includes(":") ? "IPv6" : "IPv4";
  const rest = { netmask: "", mac: "", cidr: null, scopeid: 0 };
  return { address, internal, family, ...rest } as NetworkInterfaceInfo;
}

const interfaces = {
  lo: [card("127.0.0.1", true), card("::1", true)],
  eth0: [card("192.168.1.5"), card("fe80::1"), card("2001:db8::5")],
  usb0: [card("169.254.3.3")],
  wlan0: [card("10.0.0.7"), card("2001:db8::7")],
};

test("names the machine's own addresses, three at most, none that mean nothing elsewhere", () => {
  const four = ownAddresses({ family: 4, ip: "0.0.0.0", port: 5000 }, interfaces);
  expect(four).toEqual([
    { family: 4, ip: "192.168.1.5", port: 5000 },
    { family: 4, ip: "10.0.0.7", port: 5000 },
  ]);
  const both = ownAddresses({ family: 6, ip: "::", port: 5000 }, interfaces);
  expect(both.map(({ ip }) => ip)).toEqual(["192.168.1.5", "2001:db8::5", "10.0.0.7"]);
});

test("the share of a core is that of the last second or so", () => {
  let [now, used] = [0, 0];
  const share = createCpuShare({ nowMs: () => now, usedMs: () => used });
  expect(share()).toBe(0);
  [now, used] = [1000, 250];
  expect(share()).toBe(0.25);
  [now, used] = [1500, 750];
  expect(share()).toBe(0.25);
  [now, used] = [2000, 1250];
  expect(share()).toBe(1);
});
