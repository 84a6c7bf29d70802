/**
 * What to tell people of the way to the edge: each change once, and while it can't be had one line
 * every few seconds.
 */
import type { LinkEvent } from "../runtime/node/api.ts";
import { addressKey } from "../runtime/wire/address.ts";

/** Between two lines that say the same, and before the first that says "no answer", ms. */
export const QUIET_MS = 4_000;

export class LinkLines {
  /** The edge as the user named it. */
  readonly #edge: string;
  readonly #say: (line: string) => void;
  #connected = false;
  /** What stands between us and the edge, as far as known. */
  #trouble: string;
  #lastLine = "";
  #lastAtMs: number;

  constructor(edge: string, nowMs: number, say: (line: string) => void) {
    this.#edge = edge;
    this.#say = say;
    this.#lastAtMs = nowMs;
    this.#trouble = this.#noAnswer();
  }

  get connected(): boolean {
    return this.#connected;
  }

  handle(event: LinkEvent, nowMs: number): void {
    switch (event.type) {
      case "connected":
        this.#connected = true;
        this.#trouble = this.#noAnswer();
        this.#lastLine = "";
        this.#lastAtMs = nowMs;
        return this.#say(`connected to ${addressKey(event.to)}`);
      case "disconnected":
        this.#connected = false;
        return this.#sayOnce(
          `lost the edge ${this.#edge}: ${reasonText(event)}${again(event)}`,
          nowMs,
        );
      case "refused":
        this.#connected = false;
        this.#trouble =
          event.reason === "timeout"
            ? this.#noAnswer()
            : `${this.#edge} refuses: ${reasonText(event)}${again(event)}`;
        return this.#sayOnce(this.#trouble, nowMs);
    }
  }

  /** Call about once a second: a node that waits for an answer says nothing by itself. */
  handleTimeout(nowMs: number): void {
    if (!this.#connected) this.#sayOnce(this.#trouble, nowMs);
  }

  #noAnswer(): string {
    return `no answer from ${this.#edge} (UDP); still trying`;
  }

  #sayOnce(line: string, nowMs: number): void {
    const says = line === this.#lastLine || line === this.#noAnswer();
    if (says && nowMs - this.#lastAtMs < QUIET_MS) return;
    this.#lastLine = line;
    this.#lastAtMs = nowMs;
    this.#say(line);
  }
}

/** The reason, and what the other side says of it when that says more. */
export function reasonText(event: Exclude<LinkEvent, { type: "connected" }>): string {
  const detail = event.detail.replace(
    /^[\da-f.:[\]]+:\d+: ?/,
    "",
  ); /* the address is named already */
  return detail === "" ? event.reason : `${event.reason} (${detail})`;
}

function again(event: Exclude<LinkEvent, { type: "connected" }>): string {
  return event.final ? "" : "; trying again";
}
