/**
 * What a session must know of its path: whether the other side can be reached at a new address (RFC 9000 §8.2), and the
 * other side's clock, unwrapped.
 */
import type { Random } from "../../base/prng.ts";
import { type Ms, ms } from "../../base/time.ts";
import type { Address } from "../../wire/address.ts";
import type { AckProfile } from "./session-types.ts";

/** At most one CHALLENGE in this time to an unproven address. */
const CHALLENGE_GAP_MS = 200;
/** A token is good for this long, so that the RTT may be longer than the gap; until then no other address is asked. */
const CHALLENGE_KEEP_MS = 1500;
const TOKEN_BYTES = 8;

interface Challenge {
  readonly token: Uint8Array;
  readonly to: Address;
  readonly since: Ms;
  sentAt: Ms;
}

/** Proof that the other side is reachable where its packets seem to come from. */
export class AddressCheck {
  #challenge: Challenge | undefined;

  /** The token to send to `to` in a CHALLENGE now, if any. */
  tokenFor(now: Ms, to: Address, random: Random): Uint8Array | undefined {
    const known = this.#challenge;
    if (known !== undefined && now < known.since + CHALLENGE_KEEP_MS) {
      if (!isSame(known.to, to) || now < known.sentAt + CHALLENGE_GAP_MS) return undefined;
      known.sentAt = now;
      return known.token;
    }
    const token = new Uint8Array(TOKEN_BYTES);
    random.fill(token);
    this.#challenge = { token, to, since: now, sentAt: now };
    return token;
  }

  /** Whether this RESPONSE proves `from`; each token does so once. */
  isProof(now: Ms, from: Address, token: Uint8Array): boolean {
    const known = this.#challenge;
    if (known === undefined || now >= known.since + CHALLENGE_KEEP_MS) return false;
    if (!isSame(known.to, from) || !known.token.every((byte, i) => byte === token[i])) return false;
    this.#challenge = undefined;
    return true;
  }
}

export function isSame(a: Address, b: Address): boolean {
  return a.port === b.port && a.ip === b.ip;
}

/** When to ping after ping `number` (from 1): soon while they are the session's first few, else at the usual pace. */
export function nextPingAt(now: Ms, since: Ms, number: number, profile: AckProfile): Ms {
  const at = since + (profile.pingStartMs[number] ?? Number.NaN);
  return at > now ? ms(at) : ms(now + profile.pingMs);
}

/** The other side's clock in ms from an arbitrary zero, followed from reading to reading (units of 100 µs, u32). */
export class UnwrappedClock {
  #units = -1;
  #ms = 0;

  read(units: number): number {
    if (this.#units < 0) this.#units = units;
    this.#ms += ((units - this.#units) | 0) / 10;
    this.#units = units;
    return this.#ms;
  }
}
