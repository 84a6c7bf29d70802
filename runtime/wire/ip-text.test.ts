import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatIp, parseIpv4, parseIpv6, unmapIpv4 } from "./ip-text.ts";

describe("IPv4 text", () => {
  test("is four decimal numbers and nothing else", () => {
    expect([...(parseIpv4("192.0.2.255") ?? [])]).toEqual([192, 0, 2, 255]);
    for (const bad of ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.x", " 1.2.3.4"]) {
      expect(parseIpv4(bad)).toBeUndefined();
    }
  });
});

describe("IPv6 text", () => {
  const canonical: [string, string][] = [
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"],
    ["2001:0:0:1:0:0:1:1", "2001::1:0:0:1:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["fe80::1%eth0", "fe80::1"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
    ["0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"],
  ];
  for (const [text, wanted] of canonical) {
    test(`${text} is written ${wanted}`, () => {
      const bytes = parseIpv6(text);
      expect(bytes).toBeDefined();
      expect(formatIp(bytes as Uint8Array)).toBe(wanted);
    });
  }

  test("refuses what RFC 4291 does not allow", () => {
    const bad = [
      "",
      ":",
      ":::",
      "1",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1::2::3",
      "12345::",
      "g::",
      "1:2:3:4:5:6:7:8::",
      "::1.2.3",
      "1.2.3.4::",
      "1.2.3.4",
      "::1.2.3.4:5",
      "1:2:3:4:5:6:7:1.2.3.4",
      ":1:2:3:4:5:6:7",
      `${"0".repeat(200)}::`,
    ];
    for (const text of bad) expect(parseIpv6(text), text).toBeUndefined();
  });

  test("comes back from its canonical form", () => {
    const bytes = fc.array(fc.constantFrom(0, 0, 0, 1, 0x12, 0xff), {
      minLength: 16,
      maxLength: 16,
    });
    fc.assert(
      fc.property(bytes, (values) => {
        expect([...(parseIpv6(formatIp(Uint8Array.from(values))) ?? [])]).toEqual(values);
      }),
    );
  });

  test("any text gives bytes or nothing", () => {
    const letters = fc.constantFrom(..."0123456789abcdef:.%gG ");
    const texts = fc.oneof(
      fc.string(),
      fc.array(letters, { maxLength: 60 }).map((l) => l.join("")),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(parseIpv6(text)?.length ?? 16).toBe(16);
        expect(parseIpv4(text)?.length ?? 4).toBe(4);
      }),
    );
  });
});

test("an IPv4 address inside IPv6 is found only where it is mapped", () => {
  expect([...(unmapIpv4(parseIpv6("::ffff:1.2.3.4") as Uint8Array) ?? [])]).toEqual([1, 2, 3, 4]);
  expect(unmapIpv4(parseIpv6("::1.2.3.4") as Uint8Array)).toBeUndefined();
  expect(unmapIpv4(parseIpv6("1::ffff:1.2.3.4") as Uint8Array)).toBeUndefined();
});
