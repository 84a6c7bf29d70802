/**
 * Time in the core is a number that somebody passes in: milliseconds, fractions allowed, from an arbitrary zero that
 * is each node's own (monotonic, never the wall clock). Two nodes' times only compare after clock estimation.
 */

declare const unit: unique symbol;

/** Milliseconds on the local monotonic clock, or a span of them. */
export type Ms = number & { readonly [unit]: "ms" };

/** Brands a plain number as milliseconds; use at borders, where the unit is known by construction. */
export function ms(value: number): Ms {
  return value as Ms;
}

/** "No deadline": later than any time. */
export const NEVER: Ms = ms(Number.POSITIVE_INFINITY);

/** "At once": earlier than any time. */
export const AT_ONCE: Ms = ms(Number.NEGATIVE_INFINITY);
