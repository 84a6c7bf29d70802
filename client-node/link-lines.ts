/**
 * What to tell people of the way to the edge: each change once, and while it can't be had one line every few seconds.
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
  #lastLine = "";
  #lastAtMs: number;

  constructor(edge: string, nowMs: number, say: (line: string) => void) {
    this.#edge = edge;
    this.#say = say;
    this.#lastAtMs = nowMs;
  }

  get connected(): boolean {
    return this.#connected;
  }

  handle(event: LinkEvent, nowMs: number): void {
    switch (event.type) {
      case "connected":
        this.#connected = true;
        this.#lastLine = "";
        this.#lastAtMs = nowMs;
        return this.#say(`connected to ${addressKey(event.to)}, round trip ${event.rttMs.toFixed(1)} ms`);
      case "disconnected":
        this.#connected = false;
        return this.#sayOnce(`lost the edge ${this.#edge}: ${reasonText(event)}${again(event)}`, nowMs);
      case "refused":
        this.#connected = false;
        if (event.reason === "timeout") return this.#sayOnce(this.#noAnswer(), nowMs);
        return this.#sayOnce(`${this.#edge} refuses: ${reasonText(event)}${again(event)}`, nowMs);
    }
  }

  /** Call about once a second: a node that waits for an answer says nothing by itself. */
  handleTimeout(nowMs: number): void {
    if (!this.#connected) this.#sayOnce(this.#noAnswer(), nowMs);
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
  return event.detail === "" ? event.reason : `${event.reason} (${event.detail})`;
}

function again(event: Exclude<LinkEvent, { type: "connected" }>): string {
  return event.final ? "" : "; trying again";
}
