/** Holds a report against the bounds its scenario states: each gate is a check of its own. */
import type { Gates } from "../scenario/schema.ts";
import type { Check } from "./report.ts";

export function gateChecks(gates: Gates, report: object): Check[] {
  return Object.entries(gates).map(([path, { min, max }]) => {
    const value = figureAt(report, path);
    const name = `gate ${path}`;
    if (typeof value !== "number")
      return { name, ok: false, detail: "the report has no such number" };
    const isHigh = min === undefined || value >= min;
    const isLow = max === undefined || value <= max;
    const bounds = [min === undefined ? "" : `≥ ${min}`, max === undefined ? "" : `≤ ${max}`];
    return { name, ok: isHigh && isLow, detail: `${value} (${bounds.filter(Boolean).join(", ")})` };
  });
}

function figureAt(report: object, path: string): unknown {
  let at: unknown = report;
  for (const name of path.split(".")) {
    if (typeof at !== "object" || at === null) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return at;
}
