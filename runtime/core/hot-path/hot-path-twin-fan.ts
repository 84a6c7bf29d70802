/** The twin's fan-out: the tables of the out area read one by one, each head written field by field. */
import { assert } from "../../base/assert.ts";
import { Fan } from "./hot-path.ts";
import type { TwinSending } from "./hot-path-twin-sending.ts";

const DATA_TYPE = 0x10;

export class TwinFan {
  readonly #out: Int32Array;
  readonly #outF64: Float64Array;
  readonly #view: DataView;

  constructor(out: Int32Array, outF64: Float64Array, view: DataView) {
    this.#out = out;
    this.#outF64 = outF64;
    this.#view = view;
  }

  sessionOf(receiver: number): number {
    return this.#receiver(receiver, 0);
  }

  setDeadline(receiver: number, atMs: number): void {
    this.#outF64[(Fan.receiversAt + receiver * Fan.receiverBytes + 24) / 8] = atMs;
  }

  /** Sends what the receiver wants and its window takes; returns the end of the heads. */
  send(
    receiver: number,
    sending: TwinSending,
    fragments: number,
    kind: number,
    nowMs: number,
    ptr: number,
  ): number {
    const stream = this.#receiver(receiver, 3);
    assert(stream >>> 16 === 0, "packet field out of range");
    let at = ptr;
    let taken = 0;
    for (let i = 0; i < fragments; i++) {
      if (((this.#receiver(receiver, 4) >>> i) & 1) === 0) continue;
      const key = this.#fragment(i, 0) >>> 0;
      const size = this.#fragment(i, 2);
      const number = sending.send({ sentAt: nowMs, kind, attempt: 0, stream, key, size });
      if (number < 0) break;
      at = this.#writeHead(at, receiver, i, number);
      taken++;
    }
    this.#out[(Fan.receiversAt + receiver * Fan.receiverBytes) / 4 + 5] = taken;
    return at;
  }

  #writeHead(at: number, receiver: number, fragment: number, number: number): number {
    const view = this.#view;
    const info = this.#fragment(fragment, 1);
    view.setUint8(at, DATA_TYPE);
    view.setUint32(at + 1, this.#receiver(receiver, 1));
    view.setUint32(at + 5, this.#receiver(receiver, 2));
    view.setUint16(at + 9, number & 0xffff);
    view.setUint16(at + 11, this.#receiver(receiver, 3));
    view.setUint32(at + 13, this.#fragment(fragment, 0));
    view.setUint16(at + 17, ((info & 0xfff) << 4) | ((info >>> 20) & 0xf));
    view.setUint8(at + 19, (info >>> 12) & 0xff);
    view.setUint8(at + 20, info >>> 24);
    return at + Fan.headBytes;
  }

  #fragment(i: number, word: number): number {
    return this.#out[(i * Fan.fragmentBytes) / 4 + word] as number;
  }

  #receiver(i: number, word: number): number {
    return this.#out[(Fan.receiversAt + i * Fan.receiverBytes) / 4 + word] as number;
  }
}
