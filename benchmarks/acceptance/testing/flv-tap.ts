/** What comes out of an HTTP-FLV, and what should: every audio and video frame as text to compare. */
import { createHash } from "node:crypto";
import { FLV_AUDIO, FLV_VIDEO, FlvDemuxer, type FlvTag } from "../../../runtime/media/flv.ts";
import { until } from "./world.ts";

/** Frame type and codec of FLV tags (Adobe FLV specification, E.4.2, E.4.3). */
const KEY_FRAME = 1;
const AVC = 7;
const AAC = 10;
/** Packet type of AVC and AAC: 0 is the configuration, 2 AVC's end of sequence. */
const RAW_FRAME = 1;

export function isKeyFrame({ type, body }: FlvTag): boolean {
  return type === FLV_VIDEO && (body[0] as number) >> 4 === KEY_FRAME;
}

/** H.264 and AAC frames; neither configurations nor metadata. */
export function isFrame({ type, body }: FlvTag): boolean {
  const head = body[0] as number;
  if (type === FLV_VIDEO) return (head & 15) === AVC && body[1] === RAW_FRAME;
  return type === FLV_AUDIO && head >> 4 === AAC && body[1] === RAW_FRAME;
}

function digest({ type, body }: FlvTag): string {
  const kind = type === FLV_AUDIO ? "audio" : "video";
  return `${kind} ${createHash("sha1").update(body).digest("hex")}`;
}

/** Kind, timestamp and hash: equal only for frames that are equal byte for byte. */
export function printOf(tag: FlvTag): string {
  return `${tag.dtsMs} ${digest(tag)}`;
}

/** The frames of a whole FLV file. */
export async function framesOf(file: string): Promise<FlvTag[]> {
  return new FlvDemuxer().push(await Bun.file(file).bytes()).filter(isFrame);
}

/** A player that takes everything as it comes. */
export class FlvTap {
  readonly tags: FlvTag[] = [];
  isOver = false;
  readonly #abort = new AbortController();

  /** Opens `url` as soon as there is something to play. */
  static open(url: string): Promise<FlvTap> {
    return until(`a picture at ${url}`, async () => {
      const tap = new FlvTap();
      const response = await fetch(url, { signal: tap.#abort.signal }).catch(() => undefined);
      if (response?.status !== 200) {
        await response?.body?.cancel();
        return undefined;
      }
      void tap.#read(response);
      return tap;
    });
  }

  get frames(): FlvTag[] {
    return this.tags.filter(isFrame);
  }

  async count(frames: number): Promise<void> {
    await until(`${frames} frames`, () => this.frames.length >= frames);
  }

  /** So many more than there are. */
  async more(frames: number): Promise<void> {
    await this.count(this.frames.length + frames);
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(response: Response): Promise<void> {
    const demuxer = new FlvDemuxer();
    try {
      for await (const bytes of response.body ?? []) this.tags.push(...demuxer.push(bytes));
    } catch {
      /* aborted, or its server is gone */
    }
    this.isOver = true;
  }
}

/** The stream that must not notice what happens to others: a file played in a loop, seen by one viewer. */
export class Bystander {
  readonly #tap: FlvTap;
  readonly #source: readonly string[];
  #from = 0;

  private constructor(tap: FlvTap, source: readonly string[]) {
    this.#tap = tap;
    this.#source = source;
  }

  static async watch(url: string, file: string): Promise<Bystander> {
    const source = await framesOf(file);
    return new Bystander(await FlvTap.open(url), source.map(digest));
  }

  /**
   * Where the frames seen so far depart from the file's; undefined when nowhere. Waits for `more` frames first. A
   * departure is told once: what comes after it is judged anew.
   */
  async departure(more: number): Promise<string | undefined> {
    await this.#tap.more(more);
    const frames = this.#tap.frames;
    const seen = frames.slice(this.#from).map(digest);
    const start = this.#source.indexOf(seen[0] as string);
    const at = seen.findIndex((one, i) => one !== this.#source[(start + i) % this.#source.length]);
    if (start >= 0 && at < 0) return undefined;
    const told = `frame ${this.#from + Math.max(0, at)} of ${frames.length} seen`;
    this.#from = frames.length;
    return told;
  }
}
