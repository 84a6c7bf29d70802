/**
 * RTMP from one publisher, bytes to events (Adobe RTMP specification 1.0). The protocol itself is node-media-server's
 * class `Rtmp`, which trusts what it reads; here stand the bounds it lacks, and whatever it throws becomes the end of
 * this one session. Events come out after the bytes are parsed, so that an error of their taker is never mistaken for
 * the sender's. Sans-IO: bytes to send go to a callback.
 */
import logger from "node-media-server/src/core/logger.js";
import Rtmp from "node-media-server/src/protocol/rtmp.js";
import { FLV_AUDIO, FLV_SCRIPT, FLV_VIDEO, type FlvTag, TAG_BODY_BYTES_MAX } from "./flv.ts";

logger.log = () => {}; /* it writes what strangers send to the standard output */

export interface RtmpBounds {
  /** One message, bytes; media messages are bounded by a tag's body. */
  readonly messageBytesMax: number;
  /** One command, bytes. */
  readonly commandBytesMax: number;
  /** Chunk streams; encoders use 4 to 8. */
  readonly chunkStreamsMax: number;
  /** All message buffers of a session, bytes. */
  readonly bufferBytesMax: number;
  /** What may come before a publish command, handshake included, bytes. */
  readonly bytesBeforePublishMax: number;
}

export const RTMP_BOUNDS: RtmpBounds = {
  messageBytesMax: TAG_BODY_BYTES_MAX,
  commandBytesMax: 16_384,
  chunkStreamsMax: 32,
  bufferBytesMax: 4_194_304,
  bytesBeforePublishMax: 65_536,
};

/** What a publisher asks for, as it said it. */
export interface PublishRequest {
  /** Application: "live" of rtmp://host/live/NAME?key=K. */
  readonly app: string;
  readonly name: string;
  /** `key` of the query. */
  readonly key?: string;
  readonly query: Readonly<Record<string, string>>;
}

export type RtmpEvent =
  | { readonly type: "publish"; readonly request: PublishRequest }
  | { readonly type: "tag"; readonly tag: FlvTag }
  /** Nothing more is taken; `violation` when the sender broke the protocol or a bound. */
  | { readonly type: "end"; readonly reason: string; readonly violation: boolean };

const ACK_WINDOW_BYTES_MIN = 65_536;
const CHUNK_BYTES_MAX = 0x7fff_ffff;
const NAME_LENGTH_MAX = 128;
const MESSAGE_AMF3_DATA = 15;

export class RtmpSession {
  readonly #protocol: BoundedRtmp;
  readonly #bounds: RtmpBounds;
  #bytesIn = 0;
  #bytesAcknowledged = 0;
  #state: "new" | "asked" | "publishing" | "ended" = "new";

  /** @param send Takes bytes for the other side; they are not reused. */
  constructor(send: (bytes: Uint8Array) => void, bounds: RtmpBounds = RTMP_BOUNDS) {
    this.#bounds = bounds;
    this.#protocol = new BoundedRtmp(bounds, send);
  }

  get bytesIn(): number {
    return this.#bytesIn;
  }

  /** Takes bytes cut anywhere; gives what they said, in order. After "end" it takes nothing more. */
  receive(bytes: Uint8Array): RtmpEvent[] {
    if (this.#state === "ended") return [];
    this.#bytesIn += bytes.length;
    const error = this.#parse(bytes);
    const events: RtmpEvent[] = [];
    for (const event of this.#protocol.takeEvents()) {
      const checked = this.#check(event);
      events.push(checked);
      if (checked.type === "end") return this.#end(events);
    }
    if (error) events.push({ type: "end", reason: error, violation: true });
    return error ? this.#end(events) : events;
  }

  /** Answers a "publish" event: the encoder may send. */
  accept(): void {
    this.#state = "publishing";
    this.#protocol.startPublish();
  }

  /** Answers a "publish" event: the encoder shows `reason` and gives up. Nothing more is taken. */
  refuse(reason: string): void {
    this.#state = "ended";
    this.#protocol.refusePublish(reason);
  }

  #parse(bytes: Uint8Array): string | undefined {
    try {
      const failed = this.#protocol.parserData(asBuffer(bytes));
      if (failed !== null) return failed;
    } catch (error) {
      return error instanceof BoundError ? error.message : `no RTMP: ${(error as Error).message}`;
    }
    if (
      this.#state === "new" &&
      this.#bytesIn > this.#bounds.bytesBeforePublishMax &&
      !this.#protocol.asked
    ) {
      return `more than ${this.#bounds.bytesBeforePublishMax} bytes before publishing`;
    }
    this.#acknowledge();
    return undefined;
  }

  /**
   * RTMP 5.4.4: acknowledgements for an encoder that names a window, twice in each. Others (ffmpeg, OBS) get none: an
   * encoder that closes with unread answers resets the connection, and the end of its stream would be lost.
   */
  #acknowledge(): void {
    const asked = this.#protocol.ackSize;
    if (asked === undefined) return;
    const window = Math.max(asked, ACK_WINDOW_BYTES_MIN);
    if (this.#bytesIn - this.#bytesAcknowledged < window / 2) return;
    this.#bytesAcknowledged = this.#bytesIn;
    this.#protocol.sendACK(this.#bytesIn >>> 0);
  }

  #check(event: RtmpEvent): RtmpEvent {
    if (event.type === "publish") {
      if (this.#state !== "new")
        return { type: "end", reason: "it published twice", violation: true };
      this.#state = "asked";
    } else if (event.type === "tag" && this.#state === "new") {
      return { type: "end", reason: "media before publishing", violation: true };
    }
    return event;
  }

  #end(events: RtmpEvent[]): RtmpEvent[] {
    this.#state = "ended";
    return events;
  }
}

/** A bound of ours was exceeded. */
class BoundError extends Error {}

class BoundedRtmp extends Rtmp {
  readonly #bounds: RtmpBounds;
  #events: RtmpEvent[] = [];
  asked = false;

  constructor(bounds: RtmpBounds, send: (bytes: Uint8Array) => void) {
    super();
    this.#bounds = bounds;
    this.onOutputCallback = send;
  }

  takeEvents(): RtmpEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  startPublish(): void {
    super.respondPublish();
  }

  refusePublish(reason: string): void {
    this.sendStatusMessage(this.streamId, "error", "NetStream.Publish.BadName", reason);
  }

  /** Called when a message begins. */
  override packetAlloc(): void {
    const { chunkStreamsMax, bufferBytesMax } = this.#bounds;
    const { length } = this.parserPacket.header;
    const lengthMax = this.asked ? this.#bounds.messageBytesMax : this.#bounds.commandBytesMax;
    if (length > lengthMax) throw new BoundError(`a message of ${length} bytes, over ${lengthMax}`);
    if (this.inPackets.size > chunkStreamsMax)
      throw new BoundError(`more than ${chunkStreamsMax} chunk streams`);
    super.packetAlloc();
    let buffered = 0;
    for (const packet of this.inPackets.values()) buffered += packet.capacity;
    if (buffered > bufferBytesMax)
      throw new BoundError(`more than ${bufferBytesMax} bytes of unfinished messages`);
  }

  override controlHandler(): void {
    super.controlHandler();
    /* RTMP 5.4.1; with 0 the parser would never move on. */
    const size = this.inChunkSize;
    if (size < 1 || size > CHUNK_BYTES_MAX) throw new BoundError(`chunks of ${size} bytes`);
  }

  override invokeHandler(): void {
    const { length } = this.parserPacket.header;
    if (length > this.#bounds.commandBytesMax) throw new BoundError(`a command of ${length} bytes`);
    super.invokeHandler();
  }

  override dataHandler(): void {
    const { header, clock, payload } = this.parserPacket;
    if (header.length > payload.length) throw new BoundError("a message that grew while it came");
    if (header.length === 0) return;
    /* AMF3 data messages hold AMF0 behind one zero byte. */
    const amf3 = header.type === MESSAGE_AMF3_DATA;
    const type = amf3 ? FLV_SCRIPT : header.type;
    if (type !== FLV_AUDIO && type !== FLV_VIDEO && type !== FLV_SCRIPT) return;
    const body = new Uint8Array(payload.subarray(amf3 ? 1 : 0, header.length));
    if (body.length > 0)
      this.#events.push({ type: "tag", tag: { type, dtsMs: clock >>> 0, body } });
  }

  override respondPublish(): void {
    const request = publishRequest(this.streamApp, this.streamName, this.streamQuery);
    this.asked = true;
    this.#events.push({ type: "publish", request });
  }

  override respondPlay(): void {
    const reason = "this listener is for publishing only";
    this.sendStatusMessage(this.streamId, "error", "NetStream.Play.Failed", reason);
    this.#events.push({ type: "end", reason: "it asked to play", violation: false });
  }

  override onDeleteStream(): void {
    if (this.asked)
      this.#events.push({ type: "end", reason: "the encoder stopped", violation: false });
  }
}

type RawQuery = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Name and query as the user typed them. A key with a slash splits differently in ffmpeg (the last slash ends the
 * application: app "live/NAME?key=a", name "b"), and with OBS the query may stand on the server's URL (app
 * "live?key=K").
 */
function publishRequest(app: unknown, name: string, rawQuery: RawQuery): PublishRequest {
  if (typeof app !== "string") throw new BoundError("publish before connect");
  const query: Record<string, string> = {};
  for (const [field, value] of Object.entries(rawQuery)) {
    const text = Array.isArray(value) ? value[0] : value;
    if (text !== undefined) query[field] = text;
  }
  const [appPath = "", appQuery] = splitOnce(app, "?");
  let path = { app: trimSlashes(appPath), name };
  if (appQuery !== undefined) {
    const slash = path.app.indexOf("/");
    const split = slash >= 0;
    for (const [field, value] of new URLSearchParams(split ? `${appQuery}/${name}` : appQuery))
      query[field] ??= value;
    if (split) path = { app: path.app.slice(0, slash), name: path.app.slice(slash + 1) };
  }
  if (path.app === "" || path.name === "") throw new BoundError("publish without a stream name");
  if (path.app.length + path.name.length > NAME_LENGTH_MAX)
    throw new BoundError("a stream name too long");
  /* biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for */
  if (/[\u0000-\u0020\u007f]/.test(path.app + path.name))
    throw new BoundError("a stream name with blanks");
  return { ...path, query, ...(query["key"] === undefined ? {} : { key: query["key"] }) };
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function trimSlashes(text: string): string {
  return text.replace(/^\/+|\/+$/g, "");
}

/** The protocol class calls `Buffer`'s own methods. */
function asBuffer(bytes: Uint8Array): Uint8Array {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
