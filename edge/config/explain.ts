/**
 * Turns what is wrong with a config into lines an operator can act on: `file:line: key: what is expected, what was
 * found`. Stream keys are never repeated.
 */
import type { z } from "zod";
import { keyNote, validKeys } from "./schema.ts";

/** Edits (insert, delete, replace, swap neighbours) up to which a name counts as a typo of another. */
const TYPO_EDITS_MAX = 2;

export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

export function explain(issues: readonly z.core.$ZodIssue[], value: unknown): Problem[] {
  return issues.flatMap((issue) => explainOne(issue, value));
}

/** `streams."live/x".key`, as it would be written in the file. */
export function keyPath(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (/^[A-Za-z0-9_-]+$/.test(String(part)) ? String(part) : JSON.stringify(part)))
    .join(".");
}

function explainOne(issue: z.core.$ZodIssue, value: unknown): Problem[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      message: unknownKey(issue.path, key),
    }));
  }
  if (issue.code === "custom") return [{ path: issue.path, message: issue.message }];
  const note = keyNote(issue.path);
  if (note !== undefined) {
    return [{ path: issue.path, message: `expected ${expected(note)}${found(issue.path, value)}` }];
  }
  return [{ path: issue.path, message: `expected a table${found(issue.path, value)}` }];
}

function expected(note: { type: string; range: string; unit: string }): string {
  const unit = note.unit === "–" ? "" : ` ${note.unit}`;
  if (note.type === "integer") return `an integer in ${note.range}${unit}`;
  if (note.type === "list of strings") return `a list of ${note.range}`;
  if (note.type === "boolean" || note.range.startsWith("an ")) return note.range;
  return note.range.startsWith("one of") ? note.range : `a string: ${note.range}`;
}

function unknownKey(path: readonly PropertyKey[], key: string): string {
  const valid = validKeys(path);
  const near = nearest(key, valid);
  if (near !== undefined) return `unknown key; did you mean "${near}"?`;
  return `unknown key; valid here: ${valid.join(", ")}`;
}

function found(path: readonly PropertyKey[], root: unknown): string {
  if (path[0] === "streams") return ""; /* may hold a key */
  let value = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return "";
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value === undefined ? "" : `, found ${shorten(JSON.stringify(value) ?? String(value))}`;
}

function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

/** The candidate within `TYPO_EDITS_MAX` edits of `name`, the closest one. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestEdits = TYPO_EDITS_MAX + 1;
  for (const candidate of candidates) {
    const edits = editDistance(name.toLowerCase(), candidate);
    if (edits < bestEdits && edits < candidate.length) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best;
}

/** Optimal string alignment distance (Damerau–Levenshtein, each substring edited once). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let edits = Math.min(
        (previous[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (previous[j - 1] ?? 0) + same,
      );
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) edits = Math.min(edits, (before[j - 2] ?? 0) + 1);
      row.push(edits);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}
