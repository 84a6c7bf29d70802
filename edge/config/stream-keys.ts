/**
 * Which streams may be published here, and with which key. A stream without an entry is refused; of several patterns
 * that match, the one with the most literal characters decides, so `live/news` beats `live/*`.
 */
import { createHash, timingSafeEqual } from "node:crypto";

/** How a stream may be published: with this key, or by anyone. */
export interface StreamRule {
  /** Name or pattern, as written in the config. */
  readonly pattern: string;
  /** "" when open. */
  readonly key: string;
  readonly open: boolean;
  /** Viewers that each stream may have; undefined = not limited. */
  readonly maxViewers: number | undefined;
}

export class StreamKeys {
  readonly #rules: readonly (StreamRule & { readonly matcher: RegExp })[];

  constructor(rules: readonly StreamRule[]) {
    this.#rules = rules
      .map((rule) => ({ ...rule, matcher: patternMatcher(rule.pattern) }))
      .sort((a, b) => literalLength(b.pattern) - literalLength(a.pattern));
  }

  ruleOf(stream: string): StreamRule | undefined {
    return this.#rules.find((rule) => rule.matcher.test(stream));
  }

  /** For `EdgeOptions.keyOf`: the key to prove, "" when open, undefined when the stream is not configured. */
  keyOf(stream: string): string | undefined {
    return this.ruleOf(stream)?.key;
  }

  /** Whether a key shown in clear (RTMP) lets its holder publish. Takes the same time whatever the key. */
  admits(stream: string, shown: string): "ok" | "wrong key" | "unknown stream" {
    const rule = this.ruleOf(stream);
    if (rule === undefined) return "unknown stream";
    return rule.open || timingSafeEqual(digest(rule.key), digest(shown)) ? "ok" : "wrong key";
  }
}

function patternMatcher(pattern: string): RegExp {
  const escaped = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${escaped.join("[^/]+")}$`);
}

/** An exact name counts for more than any pattern of its length. */
function literalLength(pattern: string): number {
  return pattern.includes("*") ? pattern.replaceAll("*", "").length : pattern.length + 1;
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
