/**
 * An edge that leaves: it takes nobody new, sends its publishers and viewers to the other edges a few at a time, so
 * that those are not overrun, and is done when nobody is left. Who cannot be moved (encoders over RTMP, players over
 * HTTP) has until the timeout.
 */
import type { ClusterEdge, ClusterHost } from "./cluster.ts";

const STEP_MS = 100;
/** All are asked to leave within about so long; the least asked at once. */
const SPREAD_MS = 3000;
const STEP_MEMBERS_MIN = 5;
/** Other edges may still take from here what has just moved: so long after the last member has gone. */
const LINGER_MS = 1500;

export interface DrainOptions {
  readonly host: Pick<ClusterHost, "command" | "now">;
  readonly timeoutMs: number;
  /** Readers of HTTP-FLV at present, who stay until they go by themselves. */
  readonly readers: () => number;
  readonly done: (why: "empty" | "timeout") => void;
}

export class Drain {
  readonly #options: DrainOptions;
  readonly #until: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #emptySince: number | undefined;
  #stepMembers: number | undefined;

  constructor(options: DrainOptions) {
    this.#options = options;
    this.#until = options.host.now() + options.timeoutMs;
    this.#timer = setInterval(() => this.step(), STEP_MS);
  }

  /** Asks the next few to leave; called by its own timer. */
  step(): void {
    const { host, readers } = this.#options;
    const now = host.now();
    const left = host.command((edge) => this.#moveSome(edge, now));
    const isEmpty = left.members === 0 && left.publishers === 0 && readers() === 0;
    if (!isEmpty) this.#emptySince = undefined;
    else this.#emptySince ??= now;
    if (this.#emptySince !== undefined && now - this.#emptySince >= LINGER_MS) this.#end("empty");
    else if (now >= this.#until) this.#end("timeout");
  }

  cancel(): void {
    clearInterval(this.#timer);
  }

  #moveSome(edge: ClusterEdge, now: ReturnType<ClusterHost["now"]>) {
    this.#stepMembers ??= Math.max(
      STEP_MEMBERS_MIN,
      Math.ceil((edge.stats(now).sessions * STEP_MS) / SPREAD_MS),
    );
    const members = edge.moveAway(now, this.#stepMembers);
    return { members, publishers: edge.stats(now).publishers };
  }

  #end(why: "empty" | "timeout"): void {
    this.cancel();
    this.#options.done(why);
  }
}
