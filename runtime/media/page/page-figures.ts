/** What the page tells of itself as `window.shoalStats`. */
import type { PageStats } from "./figures.ts";

/** For tests and the curious: everything the page knows, renewed each second. */
export interface PageFigures {
  stream: string;
  state: string;
  /** Capture to display, ms; null before it is known. */
  delayMs: number | null;
  /**
   * Whether `delayMs` was measured frame by frame, or is the peer's figure plus the player's
   * buffer.
   */
  delayMeasured: boolean;
  delayMsMax: number | null;
  framesDecoded: number;
  /** Players made anew, and times the picture stood still, since the page was opened. */
  recreated: number;
  stalls: number;
  stats: PageStats | null;
}

declare global {
  interface Window {
    shoalStats: PageFigures;
  }
}
