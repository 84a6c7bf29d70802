/**
 * All HTTP-FLV readers of all streams. A stream's frames are asked of the edge only while it has readers, and each
 * reader starts from the current group of pictures.
 */
import type { EdgeEvent } from "../../runtime/node/api.ts";
import type { EdgeHost } from "../host.ts";
import { FlvResponse, type GoneReason } from "./flv-response.ts";

/** A reader waits so long for an encoder that went away before its response ends, ms. */
const ENDED_WAIT_MS = 15_000;

export interface FlvFanoutOptions {
  readonly maxReaders: number;
  /** Bytes waiting for one reader beyond its first group before frames are skipped. */
  readonly queueBytesMax: number;
  readonly readerTimeoutMs: number;
  /** Viewers that a stream may have, peers and readers together; undefined = not limited. */
  readonly maxViewersOf?: (stream: string) => number | undefined;
  /** Live at another edge, to be fetched from there. */
  readonly knows?: (stream: string) => boolean;
  /** Frames of a stream are asked for from now on. */
  readonly onWatched?: (stream: string) => void;
}

/** A stream that is live at another edge and has not come from there yet. */
const NOT_HERE_YET = { viewers: 0, epoch: 0 };

export interface FlvTotals {
  readonly opened: number;
  readonly cut: number;
  readonly bytesOut: number;
  readonly framesSkipped: number;
}

interface Channel {
  readonly stream: string;
  readonly readers: Set<FlvResponse>;
  /** When the stream ended, if it has not come back. */
  endedAtMs: number | undefined;
}

export class FlvFanout {
  readonly #host: EdgeHost;
  readonly #options: FlvFanoutOptions;
  readonly #channels = new Map<string, Channel>();
  #readers = 0;
  /** Of readers that have left, and how many there ever were. */
  readonly #past = { opened: 0, cut: 0, bytesOut: 0, framesSkipped: 0 };

  constructor(host: EdgeHost, options: FlvFanoutOptions) {
    this.#host = host;
    this.#options = options;
  }

  get readerCount(): number {
    return this.#readers;
  }

  /** Totals since start, readers that left included. */
  totals(): FlvTotals {
    const sum = { ...this.#past };
    for (const channel of this.#channels.values()) {
      for (const reader of channel.readers) {
        sum.bytesOut += reader.bytesOut;
        sum.framesSkipped += reader.framesSkipped;
      }
    }
    return sum;
  }

  readersOf(stream: string): readonly FlvResponse[] {
    return [...(this.#channels.get(stream)?.readers ?? [])];
  }

  /** A new reader, its queue filled with the current group; "unknown" when the stream is not live. */
  open(
    stream: string,
    from: string,
    onGone: (why: GoneReason) => void,
  ): FlvResponse | "unknown" | "overloaded" {
    const { edge } = this.#host;
    const here = edge.streams(this.#host.now()).find((candidate) => candidate.name === stream);
    const live = here ?? (this.#options.knows?.(stream) ? NOT_HERE_YET : undefined);
    if (live === undefined) return "unknown";
    const limit = this.#options.maxViewersOf?.(stream) ?? Number.POSITIVE_INFINITY;
    const isFull = live.viewers + this.readersOf(stream).length >= limit;
    if (isFull || this.#readers >= this.#options.maxReaders) return "overloaded";
    const channel = this.#channel(stream);
    const { queueBytesMax, readerTimeoutMs } = this.#options;
    const group = edge.currentGroup(stream).map((frame) => ({ frame, epoch: live.epoch }));
    const reader = new FlvResponse(
      {
        reader: { queueBytesMax, stalledMsMax: readerTimeoutMs },
        from,
        now: () => this.#host.now(),
        onGone: (gone, why) => {
          this.#release(channel, gone, why);
          onGone(why);
        },
      },
      group,
    );
    channel.readers.add(reader);
    this.#readers++;
    this.#past.opened++;
    return reader;
  }

  handleEvent(event: EdgeEvent): void {
    if (event.type !== "frame" && event.type !== "streamStarted" && event.type !== "streamEnded")
      return;
    const channel = this.#channels.get(event.stream);
    if (channel === undefined) return;
    channel.endedAtMs = event.type === "streamEnded" ? this.#host.now() : undefined;
    if (event.type !== "frame") return;
    const { frame, epoch } = event;
    for (const reader of channel.readers) reader.push({ frame, epoch });
  }

  /** Cuts readers that take nothing, and ends those whose stream stays away. Call about once a second. */
  sweep(): void {
    const now = this.#host.now();
    for (const channel of [...this.#channels.values()]) {
      const over = channel.endedAtMs !== undefined && now - channel.endedAtMs > ENDED_WAIT_MS;
      for (const reader of [...channel.readers]) {
        if (over) reader.close("ended");
        else if (reader.isStalled()) reader.close("cut");
      }
    }
  }

  /** Ends one reader by its address; whether there was one. */
  kick(stream: string, from: string): boolean {
    const reader = this.readersOf(stream).find((candidate) => candidate.from === from);
    reader?.close("kicked");
    return reader !== undefined;
  }

  closeAll(): void {
    for (const channel of [...this.#channels.values()]) {
      for (const reader of [...channel.readers]) reader.close("shutdown");
    }
  }

  #channel(stream: string): Channel {
    let channel = this.#channels.get(stream);
    if (channel !== undefined) return channel;
    channel = { stream, readers: new Set(), endedAtMs: undefined };
    this.#channels.set(stream, channel);
    this.#host.command((edge) => edge.watchFrames(stream, true));
    this.#options.onWatched?.(stream);
    return channel;
  }

  #release(channel: Channel, reader: FlvResponse, why: GoneReason): void {
    if (!channel.readers.delete(reader)) return;
    this.#readers--;
    if (why === "cut") this.#past.cut++;
    this.#past.bytesOut += reader.bytesOut;
    this.#past.framesSkipped += reader.framesSkipped;
    if (channel.readers.size > 0) return;
    this.#channels.delete(channel.stream);
    this.#host.command((edge) => edge.watchFrames(channel.stream, false));
  }
}
