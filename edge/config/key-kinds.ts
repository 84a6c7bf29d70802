/** The kinds of key a config has: what each accepts, and what it says of itself. */
import { z } from "zod";

/** What a leaf says of itself; errors and docs/CONFIG.md show it. */
export interface KeyNote {
  /** "integer", "string", "boolean", "list of strings" */
  readonly type: string;
  /** Unit of a number, or "–". */
  readonly unit: string;
  /** What values are accepted, in words that fit behind "expected". */
  readonly range: string;
  /** What it does, and when to change it. */
  readonly when: string;
}

export function integer(min: number, max: number, value: number, unit: string, when: string) {
  const note: KeyNote = { type: "integer", unit, range: `${min}..${max}`, when };
  return z
    .number()
    .int()
    .min(min)
    .max(max)
    .default(value)
    .meta({ ...note });
}

export function boolean(value: boolean, when: string) {
  const note: KeyNote = { type: "boolean", unit: "–", range: "true or false", when };
  return z
    .boolean()
    .default(value)
    .meta({ ...note });
}

export function choice<const T extends readonly [string, ...string[]]>(
  values: T,
  value: T[number],
  when: string,
) {
  const range = values.map((name) => JSON.stringify(name)).join(", ");
  const note: KeyNote = { type: "string", unit: "–", range: `one of ${range}`, when };
  return z
    .enum(values)
    .default(value as never)
    .meta({ ...note });
}

export function address(value: string, when: string) {
  const note: KeyNote = { type: "string", unit: "–", range: "an IPv4 or IPv6 address", when };
  return z
    .union([z.ipv4(), z.ipv6()])
    .default(value)
    .meta({ ...note });
}

export const port = (value: number, when: string) =>
  integer(0, 65535, value, "–", `${when}; 0 takes any free port and logs which`);

export function list(pattern: RegExp, range: string, when: string) {
  const note: KeyNote = { type: "list of strings", unit: "–", range, when };
  return z
    .array(z.string().regex(pattern))
    .max(32)
    .default([])
    .meta({ ...note });
}

export function secret(min: number, max: number, range: string, when: string) {
  const note: KeyNote = { type: "string", unit: "–", range, when };
  return z
    .string()
    .min(min)
    .max(max)
    .optional()
    .meta({ ...note });
}

/** A string of a certain look, that may be left out. */
export function text(pattern: RegExp, range: string, when: string) {
  const note: KeyNote = { type: "string", unit: "–", range, when };
  return z
    .string()
    .regex(pattern)
    .optional()
    .meta({ ...note });
}
