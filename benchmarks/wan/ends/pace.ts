/**
 * The two ends of a measured stream, whatever carries it: frames go out on time, a frame that came is noted, and both
 * are told by the clock that all processes share.
 */
import { monotonicClock } from "../../lib/system-clock.ts";

/** What is sent: equal frames, one after the other. */
export interface StreamSpec {
  readonly frames: number;
  readonly fps: number;
  readonly frameBytes: number;
}

/** Datagrams a frame is cut into where the carrier takes datagrams; Shoal's own fragments have this size too. */
export const DATAGRAM_BYTES = 1152;

/** The last line of a sender: when each frame was handed over, ms of the shared clock. */
export interface Sent {
  readonly times: readonly number[];
}

/** The last line of a receiver: number of each whole frame, and when it was. */
export interface Received {
  readonly frames: readonly (readonly [number, number])[];
}

export const nowMs = monotonicClock();

/** Calls `push` with each frame's number when it is due; says `begin` first, and when each went out at the end. */
export async function sendFrames(spec: StreamSpec, push: (frame: number) => void): Promise<void> {
  const times: number[] = [];
  console.log("begin");
  const beganMs = nowMs();
  for (let i = 0; i < spec.frames; i++) {
    const waitMs = beganMs + (i * 1000) / spec.fps - nowMs();
    if (waitMs > 0) await Bun.sleep(waitMs);
    times.push(rounded(nowMs()));
    push(i);
  }
  console.log(JSON.stringify({ times } satisfies Sent));
}

/** Notes whole frames until its standard input ends, then says them and ends the process. */
export class FrameNotes {
  readonly #frames: [number, number][] = [];

  constructor() {
    process.stdin.on("end", () => {
      process.stdout.write(`${JSON.stringify({ frames: this.#frames } satisfies Received)}\n`, () =>
        process.exit(0),
      );
    });
    process.stdin.resume();
  }

  note(frame: number): void {
    this.#frames.push([frame, rounded(nowMs())]);
  }
}

/** To the microsecond: the rest is noise, and long. */
function rounded(timeMs: number): number {
  return Math.round(timeMs * 1000) / 1000;
}
