/**
 * UTF-8 with a bound in bytes. Names, agents and reasons come from other hosts: they never grow past their field, and
 * what may end up in a log or on a terminal carries no control characters.
 */

/* The core's type check knows no web APIs; these two are pure and the same everywhere. */
declare const TextEncoder: new () => { encode(text: string): Uint8Array };
declare const TextDecoder: new () => { decode(bytes: Uint8Array): string };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function utf8Bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** UTF-8 of at most `bytesMax`, cut between characters. */
export function utf8Within(text: string, bytesMax: number): Uint8Array {
  const bytes = encoder.encode(text);
  if (bytes.length <= bytesMax) return bytes;
  let end = bytesMax;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

/** Text for people: malformed UTF-8 becomes U+FFFD, control characters become spaces. */
export function printableText(bytes: Uint8Array): string {
  return printable(decoder.decode(bytes));
}

/** The same text with control characters (C0, DEL, C1, line and bidi controls) made spaces. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, " ");
}
