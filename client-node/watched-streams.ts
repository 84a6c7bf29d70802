/**
 * The streams a viewer's program holds: the one it was started for, always; and others of the same
 * edge as long as a local player asks for them, a few at most, each dropped when nobody has read it
 * for a while.
 */
import type { HttpStream, HttpStreams } from "./http-app.ts";

/** A stream being watched, with its life. */
export interface WatchedStream extends HttpStream {
  readonly readerCount: number;
  close(): void;
}

/** Streams at once beside the first one. */
export const OTHER_STREAMS_MAX = 7;
/** A stream that nobody reads is dropped after so long, ms. */
export const IDLE_MS_MAX = 30_000;

export interface WatchedStreamsOptions {
  readonly defaultStream: string;
  /** Begins watching a stream. */
  readonly start: (name: string) => WatchedStream;
  /** Names of the streams live at the edge; empty when not known. */
  readonly liveNames: () => Promise<readonly string[]>;
  readonly nowMs: () => number;
}

interface Entry {
  readonly stream: WatchedStream;
  usedAtMs: number;
}

export class WatchedStreams implements HttpStreams {
  readonly defaultStream: string;
  readonly #options: WatchedStreamsOptions;
  readonly #main: WatchedStream;
  readonly #others = new Map<string, Entry>();

  constructor(options: WatchedStreamsOptions) {
    this.#options = options;
    this.defaultStream = options.defaultStream;
    this.#main = options.start(options.defaultStream);
  }

  get all(): readonly WatchedStream[] {
    return [this.#main, ...[...this.#others.values()].map((entry) => entry.stream)];
  }

  find(name: string): WatchedStream | undefined {
    return name === this.defaultStream ? this.#main : this.#others.get(name)?.stream;
  }

  acquire(name: string): WatchedStream | undefined {
    if (name === this.defaultStream) return this.#main;
    const known = this.#others.get(name);
    if (known) {
      known.usedAtMs = this.#options.nowMs();
      return known.stream;
    }
    if (this.#others.size >= OTHER_STREAMS_MAX && !this.#dropIdlest()) return undefined;
    const stream = this.#options.start(name);
    this.#others.set(name, { stream, usedAtMs: this.#options.nowMs() });
    return stream;
  }

  list(): Promise<readonly string[]> {
    return this.#options.liveNames();
  }

  /** Call about once a second: drops what nobody reads. */
  handleTimeout(): void {
    const now = this.#options.nowMs();
    for (const [name, entry] of [...this.#others]) {
      if (entry.stream.readerCount > 0) entry.usedAtMs = now;
      else if (now - entry.usedAtMs > IDLE_MS_MAX) this.#drop(name, entry);
    }
  }

  close(): void {
    for (const stream of this.all) stream.close();
    this.#others.clear();
  }

  /** Makes room by dropping the stream without readers that was used longest ago. */
  #dropIdlest(): boolean {
    const idle = [...this.#others].filter(([, entry]) => entry.stream.readerCount === 0);
    idle.sort(([, a], [, b]) => a.usedAtMs - b.usedAtMs);
    const oldest = idle[0];
    if (!oldest) return false;
    this.#drop(...oldest);
    return true;
  }

  #drop(name: string, entry: Entry): void {
    this.#others.delete(name);
    entry.stream.close();
  }
}
