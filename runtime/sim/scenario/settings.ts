/** Single numbers of a scenario given on the command line, by their path in it. */
import { parseScenario, ScenarioError } from "./load.ts";
import type { Scenario } from "./schema.ts";

export interface Setting {
  /** E.g. `player.targetMs`, `edges.0.maxEgressShare`. */
  readonly path: string;
  readonly value: number;
}

/** @throws ScenarioError when a path leads nowhere or a value is out of its bounds. */
export function applySettings(scenario: Scenario, settings: readonly Setting[]): Scenario {
  if (settings.length === 0) return scenario;
  const changed = structuredClone(scenario);
  for (const { path, value } of settings) put(changed, path, value);
  return parseScenario(changed, "--set");
}

function put(into: object, path: string, value: number): void {
  const names = path.split(".");
  const last = names.pop() as string;
  let at: unknown = into;
  for (const name of names) {
    at = (at as Readonly<Record<string, unknown>>)[name];
    if (typeof at !== "object" || at === null) {
      throw new ScenarioError(`--set ${path}: the scenario has no "${name}"`);
    }
  }
  (at as Record<string, unknown>)[last] = value;
}
