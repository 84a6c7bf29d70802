/**
 * The streams this edge holds for its publishers. Each is claimed in the registry before its publisher is let in; while
 * the registry is away, what no other edge is known to have is taken without asking, and asked for when it is back. The
 * first to have asked then keeps it.
 */
import type { ClusterHooks } from "../../runtime/node/cluster-api.ts";
import type { ClusterView } from "./cluster-view.ts";
import type { Registry, Snapshot, StreamRecord } from "./registry.ts";

/** A claim whose publisher has not come by then is given back. */
const UNUSED_MS = 5000;

type Answer = ReturnType<ClusterHooks["claim"]>;

interface Own {
  record: StreamRecord;
  /** "asked": the registry has not answered yet. */
  state: "asked" | "held";
  /** When it was last asked for or granted. */
  at: number;
  hasStarted: boolean;
}

export interface ClaimsHost {
  readonly ownId: string;
  readonly bootId: string;
  readonly registry: Registry;
  readonly view: ClusterView;
  /** Any clock, ms; and the wall clock, ms since 1970. */
  now(): number;
  wallMs(): number;
  isAway(): boolean;
  /** The answer to a claim that was to come later is here. */
  settled(stream: string): void;
  /** Another edge has it: this publisher moved there, or another was first. */
  lost(stream: string, by: StreamRecord, how: "moved" | "lost"): void;
}

export class Claims {
  readonly #host: ClaimsHost;
  readonly #own = new Map<string, Own>();
  /** Answers that were to come later and are no; read once. */
  readonly #refused = new Map<string, StreamRecord>();

  constructor(host: ClaimsHost) {
    this.#host = host;
  }

  /** Streams held here. */
  get streams(): readonly StreamRecord[] {
    return [...this.#own.values()].map(({ record }) => record);
  }

  /** Whether `publisher` may have the stream at this edge. */
  claim(stream: string, publisher: string, epoch: number): Answer {
    const key = `${stream} ${publisher}`;
    const refused = this.#refused.get(key);
    if (refused !== undefined) {
      this.#refused.delete(key);
      return { by: refused.edgeId };
    }
    const own = this.#own.get(stream);
    const isSame = own?.record.publisher === publisher;
    if (isSame && own.state === "held") return "mine";
    const record = this.#record(stream, publisher, epoch);
    if (this.#host.isAway()) return this.#claimAlone(record);
    if (!isSame) void this.#ask(record);
    return "later";
  }

  /** An encoder in this process publishes: let in already, to be sent away when the registry says no. */
  hold(stream: string, publisher: string): void {
    const record = this.#record(stream, publisher, 0);
    if (this.#host.isAway()) this.#claimAlone(record);
    else void this.#ask(record, true);
  }

  /** A run has begun here. */
  handleStarted(stream: string, epoch: number): void {
    const own = this.#own.get(stream);
    if (own === undefined) return;
    own.hasStarted = true;
    if (own.record.epoch === epoch) return;
    own.record = { ...own.record, epoch };
    if (own.state === "held") void this.#confirm(own);
  }

  /** Gives back what is of no use any more; `published`: streams with a publisher here. */
  releaseUnused(published: readonly string[]): void {
    const now = this.#host.now();
    for (const [stream, own] of this.#own) {
      if (own.state === "asked" || published.includes(stream)) continue;
      if (!own.hasStarted && now - own.at < UNUSED_MS) continue;
      this.#own.delete(stream);
      this.#host.registry.release(own.record).catch(() => undefined); /* its lease will end */
    }
  }

  /** The registry's word on all that is held here, as it was asked for at `askedAt`. */
  check(askedAt: number, { streams }: Snapshot): void {
    const { ownId, bootId } = this.#host;
    for (const [stream, own] of [...this.#own]) {
      if (own.state === "asked" || own.at >= askedAt) continue;
      const found = streams.find((one) => one.stream === stream);
      if (found === undefined) void this.#confirm(own);
      else if (found.edgeId !== ownId) this.#lose(own, found);
      else if (found.bootId !== bootId || found.epoch !== own.record.epoch) void this.#confirm(own);
    }
  }

  #record(stream: string, publisher: string, epoch: number): StreamRecord {
    const { ownId: edgeId, bootId } = this.#host;
    return { stream, edgeId, bootId, publisher, epoch, sinceMs: this.#host.wallMs() };
  }

  /** Without the registry: what another edge is known to have stays there. */
  #claimAlone(record: StreamRecord): Answer {
    const holder = this.#host.view.holderOf(record.stream);
    if (holder !== undefined && holder.publisher !== record.publisher) return { by: holder.edgeId };
    this.#keep(record, "held");
    return "mine";
  }

  #keep(record: StreamRecord, state: Own["state"], hasStarted = false): Own {
    const own = { record, state, at: this.#host.now(), hasStarted };
    this.#own.set(record.stream, own);
    return own;
  }

  async #ask(record: StreamRecord, isLetIn = false): Promise<void> {
    const { stream, publisher } = record;
    const own = this.#keep(record, "asked", isLetIn);
    try {
      const result = await this.#host.registry.claim(record);
      if (this.#own.get(stream) !== own) return;
      if (result.type === "mine") own.state = "held";
      else {
        this.#own.delete(stream);
        if (isLetIn) this.#host.lost(stream, result.by, "lost");
        else this.#refused.set(`${stream} ${publisher}`, result.by);
      }
    } catch {
      if (this.#own.get(stream) !== own) return;
      this.#own.delete(stream);
      const alone = this.#claimAlone(record);
      if (alone === "mine") (this.#own.get(stream) as Own).hasStarted = own.hasStarted;
    }
    own.at = this.#host.now();
    this.#host.settled(stream);
  }

  /** Says again that a stream is held here. */
  async #confirm(own: Own): Promise<void> {
    const { record } = own;
    own.at = Number.POSITIVE_INFINITY; /* under way */
    try {
      const result = await this.#host.registry.claim(record);
      if (this.#own.get(record.stream) === own && result.type === "taken") {
        this.#lose(own, result.by);
      }
    } catch {
      /* The registry is away: asked again with the first snapshot after its return. */
    }
    own.at = this.#host.now();
  }

  #lose({ record }: Own, by: StreamRecord): void {
    this.#own.delete(record.stream);
    this.#host.lost(record.stream, by, by.publisher === record.publisher ? "moved" : "lost");
  }
}
