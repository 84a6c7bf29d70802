/**
 * Test encoder: the sending side of RTMP, spelt out byte by byte so that tests can also say what no encoder would.
 */
import { connect, type Socket } from "node:net";

export const HANDSHAKE = handshake();

function handshake(): Uint8Array {
  const bytes = new Uint8Array(1 + 1536 + 1536);
  bytes[0] = 3;
  return bytes;
}

/** A message in one chunk of type 0; `chunkBytes` as set before. */
export function message(
  type: number,
  body: Uint8Array,
  timestampMs = 0,
  chunkStream = 4,
  chunkBytes = 128,
): Uint8Array {
  const header = Buffer.alloc(12);
  header[0] = chunkStream;
  header.writeUIntBE(Math.min(timestampMs, 0xffffff), 1, 3);
  header.writeUIntBE(body.length, 4, 3);
  header[7] = type;
  header.writeUInt32LE(1, 8);
  const extended = Buffer.alloc(timestampMs >= 0xffffff ? 4 : 0);
  if (extended.length > 0) extended.writeUInt32BE(timestampMs);
  const parts: Uint8Array[] = [header, extended];
  for (let at = 0; at < body.length; at += chunkBytes) {
    if (at > 0) parts.push(Uint8Array.of(0xc0 | chunkStream), extended);
    parts.push(body.subarray(at, at + chunkBytes));
  }
  return Buffer.concat(parts);
}

export function setChunkSize(size: number): Uint8Array {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(size);
  return message(1, body, 0, 2);
}

/** An AMF0 command. Objects have text values only. */
export function command(
  ...values: readonly (string | number | null | Record<string, string>)[]
): Uint8Array {
  return message(20, Buffer.concat(values.map(amf)), 0, 3);
}

export function connectCommand(app: string): Uint8Array {
  return command("connect", 1, { app, tcUrl: `rtmp://127.0.0.1/${app}` });
}

export function publishCommand(name: string): Uint8Array {
  return Buffer.concat([
    command("createStream", 2, null),
    command("publish", 3, null, name, "live"),
  ]);
}

/** Everything up to publishing, in one piece. */
export function greeting(name: string, app = "live"): Uint8Array {
  return Buffer.concat([HANDSHAKE, connectCommand(app), publishCommand(name), setChunkSize(4096)]);
}

function amf(value: string | number | null | Record<string, string>): Buffer {
  if (value === null) return Buffer.of(5);
  if (typeof value === "number") {
    const bytes = Buffer.alloc(9);
    bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  if (typeof value === "string") return Buffer.concat([Buffer.of(2), text(value)]);
  const fields = Object.entries(value).flatMap(([key, field]) => [text(key), amf(field)]);
  return Buffer.concat([Buffer.of(3), ...fields, Buffer.of(0, 0, 9)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

/** A connection that remembers what it was answered and when it was closed. */
export class Encoder {
  readonly closed: Promise<void>;
  answered = "";
  readonly #socket: Socket;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("data", (bytes: Buffer) => {
      this.answered += bytes.toString("latin1");
    });
    this.#socket.on("error", () => {});
    this.closed = new Promise((resolve) => this.#socket.on("close", () => resolve()));
  }

  send(...pieces: readonly Uint8Array[]): this {
    for (const piece of pieces) this.#socket.write(piece);
    return this;
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
