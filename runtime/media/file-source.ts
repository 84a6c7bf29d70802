/**
 * Frames from a file or from standard input, as an encoder would send them: in decoding order, and, when asked, at the
 * pace of their timestamps, over and over. FLV is read natively; whatever else ffmpeg can open is remuxed by it, never
 * re-encoded.
 */
import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { serialAdd, serialDiff } from "../base/serial.ts";
import { FrameKind, flvTagType, type MediaFrame } from "../wire/frame.ts";
import { FrameClassifier } from "./classify.ts";
import { FlvDemuxer, FlvError } from "./flv.ts";

/** Time for pacing, ms; the caller's, so that tests need not wait. */
export interface SourceClock {
  now(): number;
  /** Resolves after `ms`, or at once when aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface SourceOptions {
  /** Begin again at the end, timestamps going on. Files only. */
  readonly loop: boolean;
  /** Give each frame when its time has come, not as fast as it is taken. */
  readonly realtime: boolean;
  readonly clock: SourceClock;
  /** The ffmpeg program; default "ffmpeg" on the path. */
  readonly ffmpeg?: string;
  /** Instead of the process's own standard input, for `-`. */
  readonly stdin?: AsyncIterable<Uint8Array>;
}

export interface FrameSource {
  /** For people; empty before the first frame. */
  readonly codecs: string;
  /** Once. Ends with the input, or after `close`. @throws SourceError with what to do about it. */
  frames(): AsyncGenerator<MediaFrame, void, undefined>;
  close(): void;
}

/** The input cannot be used; the message is for the user. */
export class SourceError extends Error {
  override readonly name = "SourceError";
}

/** After being this late (a suspended machine, a slow taker) the pace starts afresh instead of rushing. */
const LATE_MS_MAX = 2_000;
/** A frame's length when its track has no two frames to tell it, ms. */
const FRAME_MS_DEFAULT = 40;
/** How far apart tracks may begin without being taken for an edit; an AAC encoder's delay is 21 to 46 ms. */
const APART_MS_MAX = 100;
const STDERR_BYTES_MAX = 4_096;

/** Opens `input`: an FLV file, `-` for FLV on standard input, or anything that ffmpeg reads. @throws SourceError */
export async function openSource(input: string, options: SourceOptions): Promise<FrameSource> {
  if (input === "-") {
    if (options.loop)
      throw new SourceError("standard input cannot be played in a loop: give a file");
    return new PacedSource(
      (signal) => options.stdin ?? standardInput(signal),
      "standard input",
      options,
    );
  }
  const remote = /^[a-z][a-z0-9+.-]+:\/\//i.test(input);
  if (!remote && (await isFlv(input)))
    return new PacedSource((signal) => readFile(input, signal), input, options);
  if (remote && options.loop) throw new SourceError(`${input}: only files can be played in a loop`);
  return new PacedSource(
    (signal) => remux(input, remote, options.ffmpeg ?? "ffmpeg", signal),
    input,
    options,
  );
}

type OpenBytes = (signal: AbortSignal) => AsyncIterable<Uint8Array>;

class PacedSource implements FrameSource {
  readonly #open: OpenBytes;
  readonly #label: string;
  readonly #options: SourceOptions;
  readonly #abort = new AbortController();
  readonly #classifier = new FrameClassifier();

  constructor(openBytes: OpenBytes, label: string, options: SourceOptions) {
    this.#open = openBytes;
    this.#label = label;
    this.#options = options;
  }

  get codecs(): string {
    return this.#classifier.codecs;
  }

  close(): void {
    this.#abort.abort();
  }

  async *frames(): AsyncGenerator<MediaFrame, void, undefined> {
    const { signal } = this.#abort;
    const pace = new Pace(this.#options.clock);
    const round = new LoopClock();
    const heads = new Map<number, Uint8Array>();
    do {
      let frames = 0;
      for await (const frame of this.#read(signal)) {
        if (signal.aborted) return;
        frames++;
        if (isHead(frame) && sameAsBefore(heads, frame)) continue;
        const shifted = round.shift(frame);
        if (this.#options.realtime) await pace.wait(shifted.dtsMs, signal);
        if (signal.aborted) return;
        yield shifted;
      }
      if (signal.aborted) return;
      if (frames === 0) throw new SourceError(`${this.#label}: no audio or video in it`);
      round.next();
    } while (this.#options.loop);
  }

  async *#read(signal: AbortSignal): AsyncGenerator<MediaFrame, void, undefined> {
    const demuxer = new FlvDemuxer();
    try {
      for await (const bytes of this.#open(signal)) {
        for (const tag of demuxer.push(bytes)) {
          const frame = this.#classifier.classify(tag);
          if (frame) yield frame;
        }
        if (signal.aborted) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof FlvError) throw new SourceError(`${this.#label}: ${error.message}`);
      throw error;
    }
  }
}

/** Holds frames back until their time: the first one's arrival plus their distance from it. */
class Pace {
  readonly #clock: SourceClock;
  #anchor: { readonly atMs: number; readonly dtsMs: number } | undefined;

  constructor(clock: SourceClock) {
    this.#clock = clock;
  }

  async wait(dtsMs: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    this.#anchor ??= { atMs: now, dtsMs };
    const waitMs = this.#anchor.atMs + serialDiff(dtsMs, this.#anchor.dtsMs) - now;
    if (waitMs < -LATE_MS_MAX) this.#anchor = { atMs: now, dtsMs };
    else if (waitMs > 0) await this.#clock.sleep(waitMs, signal);
  }
}

/**
 * Timestamps that go on from one round to the next. A round is as long as its longest track, so that this track has no
 * gap; tracks that begin or end apart by more than `APART_MS_MAX` are kept from overlapping the next round.
 */
class LoopClock {
  #offsetMs = 0;
  readonly #tracks = new Map<number, { readonly firstMs: number; dtsMs: number; stepMs: number }>();

  shift(frame: MediaFrame): MediaFrame {
    if (!isHead(frame)) this.#note(frame);
    return this.#offsetMs === 0
      ? frame
      : { ...frame, dtsMs: serialAdd(frame.dtsMs, this.#offsetMs) };
  }

  next(): void {
    const tracks = [...this.#tracks.values()];
    const origin = tracks[0]?.firstMs ?? 0;
    const starts = tracks.map((track) => serialDiff(track.firstMs, origin));
    const ends = tracks.map((track) => serialDiff(track.dtsMs, origin) + track.stepMs);
    const longest = Math.max(
      0,
      ...tracks.map((_, i) => (ends[i] as number) - (starts[i] as number)),
    );
    const apart = Math.max(0, ...ends) - Math.min(...starts, 0) - APART_MS_MAX;
    this.#offsetMs = serialAdd(this.#offsetMs, Math.max(longest, apart));
    this.#tracks.clear();
  }

  #note(frame: MediaFrame): void {
    const type = flvTagType(frame.kind);
    const track = this.#tracks.get(type);
    if (!track) {
      this.#tracks.set(type, {
        firstMs: frame.dtsMs,
        dtsMs: frame.dtsMs,
        stepMs: FRAME_MS_DEFAULT,
      });
      return;
    }
    const stepMs = serialDiff(frame.dtsMs, track.dtsMs);
    track.dtsMs = frame.dtsMs;
    if (stepMs > 0) track.stepMs = stepMs;
  }
}

function isHead(frame: MediaFrame): boolean {
  return frame.kind <= FrameKind.metadata;
}

function sameAsBefore(heads: Map<number, Uint8Array>, frame: MediaFrame): boolean {
  const before = heads.get(frame.kind);
  heads.set(frame.kind, frame.body);
  return before !== undefined && Buffer.compare(before, frame.body) === 0;
}

function standardInput(signal: AbortSignal): AsyncIterable<Uint8Array> {
  signal.addEventListener("abort", () => process.stdin.destroy(), { once: true });
  return process.stdin;
}

async function isFlv(path: string): Promise<boolean> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      code === "ENOENT" ? "no such file" : code === "EACCES" ? "it may not be read" : String(code);
    throw new SourceError(`${path}: ${why}`);
  }
  try {
    if ((await file.stat()).isDirectory()) throw new SourceError(`${path}: a folder, not a file`);
    const magic = Buffer.alloc(3);
    await file.read(magic, 0, 3, 0);
    return magic.toString("latin1") === "FLV";
  } finally {
    await file.close();
  }
}

async function* readFile(
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(path, "r");
  try {
    const buffer = Buffer.alloc(65_536);
    while (!signal.aborted) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** FLV by ffmpeg from what is no FLV, its streams copied as they are. */
async function* remux(
  input: string,
  remote: boolean,
  ffmpeg: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (signal.aborted) return;
  const source = remote ? input : `file:${input}`; /* a file named "-y" is no option */
  const streams = ["-map", "0:v:0?", "-map", "0:a:0?", "-c", "copy"];
  const args = [
    "-hide_banner",
    "-loglevel",
    "error",
    "-nostdin",
    "-i",
    source,
    ...streams,
    "-f",
    "flv",
    "-",
  ];
  const child = spawn(ffmpeg, args, { stdio: ["ignore", "pipe", "pipe"] });
  const kill = (): void => void child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  let stderr = "";
  child.stderr.on("data", (text: Buffer) => {
    stderr = (stderr + text.toString()).slice(-STDERR_BYTES_MAX);
  });
  const failed = new Promise<Error | undefined>((resolve) => child.once("error", resolve));
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  let finished = false;
  try {
    try {
      yield* child.stdout as AsyncIterable<Uint8Array>;
    } catch {
      /* A program that cannot be run breaks its output off; what follows says why. */
    }
    const outcome = await Promise.race([failed, exited]);
    finished = true;
    if (signal.aborted || outcome === 0) return;
    throw new SourceError(remuxFailure(input, ffmpeg, outcome, stderr));
  } finally {
    signal.removeEventListener("abort", kill);
    if (!finished) kill();
  }
}

function remuxFailure(
  input: string,
  ffmpeg: string,
  outcome: Error | number | null | undefined,
  stderr: string,
): string {
  if (outcome instanceof Error) {
    const missing = (outcome as NodeJS.ErrnoException).code === "ENOENT";
    const why = missing ? `${ffmpeg} is not installed` : outcome.message;
    const reason = `${input} is no FLV, and ffmpeg, which would turn it into one, cannot be run (${why})`;
    return `${reason}: install ffmpeg or give an FLV file`;
  }
  const detail = stderr.trim().split("\n").slice(-2).join(" ") || `exit code ${outcome}`;
  const reason = `${input}: ffmpeg cannot turn it into FLV without re-encoding (${detail})`;
  return `${reason}; convert it first: ffmpeg -i INPUT -c:v libx264 -c:a aac OUT.flv`;
}
