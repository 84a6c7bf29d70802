/** Whose stream it is: the one publisher of a stream at an edge, and whether another may take its seat. */
import type { Ms } from "../../base/time.ts";
import type { Session } from "../../core/session/session.ts";

/** A publisher silent for this long is taken for dead when another proves the key. */
const SILENT_MS = 1000;

export interface Publisher {
  /** Undefined: an encoder in the edge's own process. */
  readonly session: Session | undefined;
  readonly name: string;
  readonly since: Ms;
  /** Its node's id; undefined for an encoder in this process. */
  readonly node: Uint8Array | undefined;
  /** Published at another edge; whoever may publish here takes it over. */
  readonly isRemote?: boolean;
}

/** Another edge that sends a stream published there. */
export function remotePublisher(name: string, since: Ms): Publisher {
  return { session: undefined, name, since, node: undefined, isRemote: true };
}

/** Whether `holder` keeps `node` (undefined = an encoder in this process) from publishing. */
export function isHeldAgainst(now: Ms, holder: Publisher, node: Uint8Array | undefined): boolean {
  if (holder.isRemote === true) return false;
  if (node !== undefined && holder.node !== undefined && sameBytes(node, holder.node)) return false;
  return holder.session === undefined || now - holder.session.lastReceivedAt < SILENT_MS;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
