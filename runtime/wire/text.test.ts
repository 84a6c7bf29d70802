import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { printable, printableText, utf8Bytes, utf8Within } from "./text.ts";

describe("text", () => {
  test("is cut to its bytes between characters", () => {
    expect(printableText(utf8Within("aä😀", 3))).toBe("aä");
    expect(printableText(utf8Within("aä😀", 6))).toBe("aä");
    expect(printableText(utf8Within("aä😀", 7))).toBe("aä😀");
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.nat(40), (text, max) => {
        const bytes = utf8Within(text, max);
        expect(bytes.length).toBeLessThanOrEqual(max);
        expect(text.startsWith(new TextDecoder("utf-8", { fatal: true }).decode(bytes))).toBe(true);
      }),
    );
  });

  test("from elsewhere carries no control characters and no broken UTF-8", () => {
    expect(printableText(Uint8Array.of(0x61, 0xff, 0x0a, 0x1b, 0x62))).toBe("a\ufffd  b");
    expect(printable("a\u202eb\u2028c\u0085d\u007f")).toBe("a b c d ");
    expect(printable("漢字 ok")).toBe("漢字 ok");
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(/\p{Cc}/u.test(printableText(bytes))).toBe(false);
      }),
    );
  });

  test("travels as UTF-8", () => {
    expect([...utf8Bytes("ä")]).toEqual([0xc3, 0xa4]);
  });
});
