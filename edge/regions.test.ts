import { expect, test } from "bun:test";
import { parseCidr, Regions } from "./regions.ts";

const regions = new Regions([
  { name: "north", cidrs: ["192.0.2.0/24", "2001:db8::/32"] },
  { name: "campus", cidrs: ["192.0.2.128/25", "2001:db8:7::/48", "203.0.113.9"] },
]);

test("the longest prefix decides, and what is in no table is unknown", () => {
  expect(regions.regionOf("192.0.2.5")).toBe(1);
  expect(regions.regionOf("192.0.2.200")).toBe(2);
  expect(regions.regionOf("2001:db8:1::1")).toBe(1);
  expect(regions.regionOf("2001:db8:7:0:1::")).toBe(2);
  expect(regions.regionOf("203.0.113.9")).toBe(2);
  expect(regions.regionOf("203.0.113.10")).toBe(0);
  expect(regions.regionOf("::1")).toBe(0);
  expect(regions.regionOf("not an address")).toBe(0);
  expect(new Regions([]).regionOf("192.0.2.5")).toBe(0);
});

test("a whole family, one address and nonsense", () => {
  expect(new Regions([{ name: "all", cidrs: ["0.0.0.0/0"] }]).regionOf("8.8.8.8")).toBe(1);
  expect(parseCidr("::ffff:192.0.2.1")?.value).toBe(0xffffc0000201n);
  for (const text of ["", "192.0.2.0/33", "192.0.2/24", "2001:db8::/129", "x/8", "1.2.3.4/-1"]) {
    expect(parseCidr(text)).toBeUndefined();
  }
});
