/**
 * One mpegts.js player at a time on the page's video element. It is thrown away and made anew
 * whenever the stream ends, breaks, stands still or begins a new run, so that the page never needs
 * a reload. Live means near the end of what is buffered: a small lag is caught up by playing 1.2
 * times as fast, a large one by one jump.
 */
import mpegts from "mpegts.js";
import { CaptureClock, parseCaptureMark } from "./capture-clock.ts";

export type PlayerState = "connecting" | "playing" | "waiting" | "failed";

/** What the page learns of the player. */
export interface PlayerListener {
  state(state: PlayerState, detail: string): void;
  /** A frame reached the screen `delayMs` after it was captured. */
  delay(delayMs: number): void;
}

/** Lag behind the end of the buffer that is kept, and that starts the catching up, s. */
const LIVE_TARGET_S = 0.15;
const LIVE_MAX_S = 0.3;
/**
 * Lag that is jumped over instead of caught up, s; at the beginning there is nothing to disturb
 * yet.
 */
const JUMP_S = 1.2;
const JUMP_AT_START_S = 0.5;
const START_MS = 1_500;
/** After a jump, this much remains buffered, s. */
const JUMP_REMAIN_S = 0.15;
/** No new picture for so long makes a new player, ms. */
const STANDSTILL_MS = 4_000;
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 2_000;

export class LivePlayer {
  readonly #video: HTMLVideoElement;
  readonly #listener: PlayerListener;
  readonly #clock = new CaptureClock();
  #player: mpegts.Player | undefined;
  #stream = "";
  #retryMs = RETRY_MS_MIN;
  #retryTimer = 0;
  #progressAt = 0;
  /** When the current player showed its first frame; Infinity before. */
  #startedAt = Number.POSITIVE_INFINITY;
  #lastTime = -1;
  #recreated = -1;
  #stalls = 0;

  constructor(video: HTMLVideoElement, listener: PlayerListener) {
    this.#video = video;
    this.#listener = listener;
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(this.#onFrame);
    video.addEventListener("waiting", () => this.#countStall());
    setInterval(() => this.#watch(), 250);
  }

  /** How often a player had to be made anew. */
  get recreated(): number {
    return Math.max(0, this.#recreated);
  }

  /** How often the picture stood still for want of data, after it had begun. */
  get stalls(): number {
    return this.#stalls;
  }

  /** What is buffered ahead of the picture, ms. */
  get bufferedAheadMs(): number {
    const { buffered, currentTime } = this.#video;
    return buffered.length === 0 ? 0 : (buffered.end(buffered.length - 1) - currentTime) * 1000;
  }

  /** Plays `stream` (`live/<name>`) from now on. */
  show(stream: string): void {
    this.#stream = stream;
    this.#retryMs = RETRY_MS_MIN;
    this.#start();
  }

  #start(): void {
    this.#drop();
    this.#recreated++;
    this.#progressAt = performance.now();
    this.#listener.state("connecting", "");
    const url = new URL(`/${this.#stream}.flv?page=1`, location.href).href;
    const player = mpegts.createPlayer(
      { type: "flv", isLive: true, url },
      {
        enableStashBuffer: false,
        lazyLoad: false,
        liveSync: true,
        liveSyncTargetLatency: LIVE_TARGET_S,
        liveSyncMaxLatency: LIVE_MAX_S,
        deferLoadAfterSourceOpen: false,
        autoCleanupSourceBuffer: true,
        autoCleanupMaxBackwardDuration: 20,
        autoCleanupMinBackwardDuration: 10,
      },
    );
    this.#player = player;
    player.on(mpegts.Events.SCRIPTDATA_ARRIVED, (script: unknown) => {
      const mark = parseCaptureMark(script);
      if (mark && this.#player === player) this.#clock.add(mark);
    });
    player.on(mpegts.Events.ERROR, (type: string, detail: string) => {
      if (this.#player === player) this.#retry("waiting", `${type}: ${detail}`);
    });
    player.on(mpegts.Events.LOADING_COMPLETE, () => {
      if (this.#player === player) this.#retry("waiting", "the stream ended or starts over");
    });
    player.attachMediaElement(this.#video);
    player.load();
    void Promise.resolve(player.play()).catch(() => undefined);
  }

  #retry(state: PlayerState, detail: string): void {
    this.#drop();
    this.#listener.state(state, detail);
    this.#retryTimer = window.setTimeout(() => this.#start(), this.#retryMs);
    this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2);
  }

  #drop(): void {
    clearTimeout(this.#retryTimer);
    const player = this.#player;
    this.#player = undefined;
    this.#clock.reset();
    this.#lastTime = -1;
    this.#startedAt = Number.POSITIVE_INFINITY;
    player?.destroy();
  }

  /** Four times a second: still moving? Far behind? */
  #watch(): void {
    if (!this.#player) return;
    const now = performance.now();
    const { currentTime, buffered } = this.#video;
    if (currentTime !== this.#lastTime) {
      this.#lastTime = currentTime;
      this.#progressAt = now;
    } else if (now - this.#progressAt > STANDSTILL_MS && !document.hidden) {
      this.#retry("waiting", "no picture for some seconds");
      return;
    }
    if (buffered.length === 0) return;
    this.#jumpToLive();
    if (this.#video.paused && !document.hidden) void this.#video.play().catch(() => undefined);
  }

  #countStall(): void {
    if (this.#player && this.#lastTime > 0 && !this.#video.seeking) this.#stalls++;
  }

  /** Far behind (the start burst, a page that was hidden): goes to the end of what is buffered. */
  #jumpToLive(): boolean {
    const starting = performance.now() - this.#startedAt < START_MS;
    if (this.bufferedAheadMs <= (starting ? JUMP_AT_START_S : JUMP_S) * 1000) return false;
    this.#video.currentTime += this.bufferedAheadMs / 1000 - JUMP_REMAIN_S;
    return true;
  }

  readonly #onFrame = (now: number, frame: VideoFrameCallbackMetadata): void => {
    this.#video.requestVideoFrameCallback(this.#onFrame);
    if (!this.#player) return;
    this.#retryMs = RETRY_MS_MIN;
    if (this.#startedAt === Number.POSITIVE_INFINITY) this.#startedAt = now;
    this.#listener.state("playing", "");
    /* Frames that are jumped over were never meant to be seen live. */
    if (this.#jumpToLive() || this.#video.currentTime - frame.mediaTime > JUMP_REMAIN_S) return;
    const capturedAt = this.#clock.capturedAt(frame.mediaTime * 1000);
    if (capturedAt === undefined) return;
    const shownAt = Date.now() + (frame.expectedDisplayTime || now) - performance.now();
    this.#listener.delay(shownAt - capturedAt);
  };
}
