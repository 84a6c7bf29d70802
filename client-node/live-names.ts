/**
 * The names of the streams live at an edge, read from the `/status.json` of its web page at most
 * once a second.
 */
import { isStreamName } from "./arguments.ts";

const FRESH_MS = 900;
const TIMEOUT_MS = 1_500;
/** Names kept of a list; the page shows them all. */
const NAMES_MAX = 50;

export class LiveNames {
  readonly #page: string | undefined;
  #names: readonly string[] = [];
  #readAtMs = Number.NEGATIVE_INFINITY;

  /** `page`: the edge's web page, `http://HOST:PORT`; undefined gives no names. */
  constructor(page: string | undefined) {
    this.#page = page?.replace(/\/+$/, "");
  }

  /** The names; those known before while the edge does not answer. */
  readonly read = async (): Promise<readonly string[]> => {
    const now = performance.now();
    if (this.#page === undefined || now - this.#readAtMs < FRESH_MS) return this.#names;
    this.#readAtMs = now;
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const response = await fetch(`${this.#page}/status.json`, { signal });
      if (response.ok) this.#names = parseNames(await response.json());
    } catch {
      /* the edge is away for a moment: what was live a second ago is still the best guess */
    }
    return this.#names;
  };
}

/** Stream names in an edge's status; anything else in it is passed over. */
export function parseNames(status: unknown): readonly string[] {
  const streams = (status as { streams?: unknown } | null)?.streams;
  if (!Array.isArray(streams)) return [];
  return streams
    .map((stream: unknown) => (stream as { name?: unknown } | null)?.name)
    .filter((name): name is string => typeof name === "string" && isStreamName(name))
    .slice(0, NAMES_MAX);
}
