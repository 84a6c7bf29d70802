/**
 * AMF0, the value format of FLV script data and RTMP commands (Adobe AMF0 specification, 2007), as far as script data
 * needs it. The decoder is total: malformed bytes give `undefined`, and depth and property counts are bounded.
 */

export type AmfValue = number | boolean | string | null | undefined | AmfObject | AmfValue[];
export interface AmfObject {
  readonly [name: string]: AmfValue;
}

export const AMF_DEPTH_MAX = 8;
/** Enough for the key-frame index of a day-long recording. */
export const AMF_VALUES_MAX = 131_072;

const TYPE_NUMBER = 0;
const TYPE_BOOLEAN = 1;
const TYPE_STRING = 2;
const TYPE_OBJECT = 3;
const TYPE_NULL = 5;
const TYPE_UNDEFINED = 6;
const TYPE_ECMA_ARRAY = 8;
const TYPE_OBJECT_END = 9;
const TYPE_STRICT_ARRAY = 10;
const TYPE_DATE = 11;
const TYPE_LONG_STRING = 12;

const text = new TextDecoder();
const utf8 = new TextEncoder();

/** Values of a script tag's body, in order; undefined when the bytes are no AMF0 or over a bound. */
export function decodeAmf(bytes: Uint8Array): AmfValue[] | undefined {
  const reader = new AmfReader(bytes);
  const values: AmfValue[] = [];
  while (!reader.done) {
    values.push(reader.value(0));
    if (reader.failed) return undefined;
  }
  return values;
}

/** A script tag's body: name and object (written as the ECMA array that players expect). Numbers, booleans and text. */
export function encodeScript(name: string, fields: AmfObject): Uint8Array {
  const entries = Object.entries(fields).filter(([, value]) => isPlain(value));
  const out: number[] = [];
  out.push(TYPE_STRING);
  pushText(out, name);
  out.push(TYPE_ECMA_ARRAY, 0, 0, entries.length >> 8, entries.length & 0xff);
  for (const [key, value] of entries) {
    pushText(out, key);
    pushValue(out, value as number | boolean | string);
  }
  out.push(0, 0, TYPE_OBJECT_END);
  return Uint8Array.from(out);
}

function isPlain(value: AmfValue): boolean {
  return typeof value === "number" || typeof value === "boolean" || typeof value === "string";
}

function pushValue(out: number[], value: number | boolean | string): void {
  if (typeof value === "boolean") {
    out.push(TYPE_BOOLEAN, value ? 1 : 0);
  } else if (typeof value === "string") {
    out.push(TYPE_STRING);
    pushText(out, value);
  } else {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    out.push(TYPE_NUMBER, ...new Uint8Array(view.buffer));
  }
}

function pushText(out: number[], value: string): void {
  const bytes = utf8.encode(value).subarray(0, 0xffff);
  out.push(bytes.length >> 8, bytes.length & 0xff, ...bytes);
}

/** Reads values one after another; `failed` once the bytes made no sense, and everything after is undefined. */
class AmfReader {
  failed = false;
  #at = 0;
  #values = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.failed || this.#at >= this.#bytes.length;
  }

  value(depth: number): AmfValue {
    if (depth > AMF_DEPTH_MAX || ++this.#values > AMF_VALUES_MAX) return this.#fail();
    switch (this.#uint(1)) {
      case TYPE_NUMBER:
        return this.#number();
      case TYPE_BOOLEAN:
        return this.#uint(1) !== 0;
      case TYPE_STRING:
        return this.#text(this.#uint(2));
      case TYPE_LONG_STRING:
        return this.#text(this.#uint(4));
      case TYPE_OBJECT:
        return this.#object(depth);
      case TYPE_ECMA_ARRAY:
        this.#uint(4); /* the count is a hint; the end marker decides */
        return this.#object(depth);
      case TYPE_STRICT_ARRAY:
        return this.#array(depth);
      case TYPE_DATE: {
        const epochMs = this.#number();
        this.#uint(2); /* time zone, reserved */
        return epochMs;
      }
      case TYPE_NULL:
        return null;
      case TYPE_UNDEFINED:
        return undefined;
      default:
        return this.#fail();
    }
  }

  #object(depth: number): AmfObject {
    const object: Record<string, AmfValue> = Object.create(null);
    /* Some encoders leave the last end marker out: the end of the bytes does as well. */
    while (!this.failed && this.#at < this.#bytes.length) {
      const name = this.#text(this.#uint(2)) ?? "";
      if (name === "" && this.#bytes[this.#at] === TYPE_OBJECT_END) {
        this.#at++;
        break;
      }
      object[name] = this.value(depth + 1);
    }
    return object;
  }

  #array(depth: number): AmfValue[] {
    const count = this.#uint(4);
    const values: AmfValue[] = [];
    for (let i = 0; i < count && !this.failed; i++) values.push(this.value(depth + 1));
    return values;
  }

  #number(): number {
    if (this.#at + 8 > this.#bytes.length) {
      this.#fail();
      return 0;
    }
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8);
  }

  #text(length: number): string | undefined {
    if (this.#at + length > this.#bytes.length) return this.#fail();
    this.#at += length;
    return text.decode(this.#bytes.subarray(this.#at - length, this.#at));
  }

  /** Big-endian unsigned integer of 1..4 bytes. */
  #uint(size: number): number {
    if (this.#at + size > this.#bytes.length) {
      this.#fail();
      return 0;
    }
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (this.#bytes[this.#at++] as number);
    return value;
  }

  #fail(): undefined {
    this.failed = true;
    return undefined;
  }
}
