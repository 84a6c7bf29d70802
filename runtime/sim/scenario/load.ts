/** Finds a scenario by name or file, and says in one line what is wrong with one. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { z } from "zod";
import { FOOTAGE_480P, makeTrace, parseTrace, type Trace } from "../footage.ts";
import { type Scenario, scenarioSchema } from "./schema.ts";

/** The scenarios that ship. */
export const SCENARIO_FOLDER = join(import.meta.dir, "..", "scenarios");
/** Groups of pictures in the loop that a model of footage makes. */
const LOOP_GROUPS = 8;

/** Fit to be shown to whoever wrote the scenario. */
export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
}

export interface LoadedScenario {
  readonly scenario: Scenario;
  /** Frame sizes; those of a model are drawn from `seed`. */
  readonly traceFor: (seed: number) => Trace;
}

/** Names of the scenarios that ship. */
export function scenarioNames(): string[] {
  return readdirSync(SCENARIO_FOLDER)
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))
    .sort();
}

/** @throws ScenarioError */
export function loadScenario(nameOrFile: string): LoadedScenario {
  const shipped = join(SCENARIO_FOLDER, `${nameOrFile}.json`);
  const isName = /^[a-z0-9-]+$/.test(nameOrFile);
  const file = isName && existsSync(shipped) ? shipped : resolve(nameOrFile);
  if (!existsSync(file)) {
    const names = scenarioNames().join(", ");
    throw new ScenarioError(`no scenario or file "${nameOrFile}"; there are: ${names}`);
  }
  const scenario = parseScenario(readJson(file), file);
  const { stream } = scenario;
  if ("trace" in stream) {
    const trace = readTrace(resolve(dirname(file), stream.trace));
    return { scenario, traceFor: () => trace };
  }
  const model = { ...FOOTAGE_480P, ...stream, groupMs: stream.groupSeconds * 1000 };
  return { scenario, traceFor: (seed) => makeTrace(model, LOOP_GROUPS, seed) };
}

/** @throws ScenarioError */
export function parseScenario(json: unknown, source: string): Scenario {
  const result = scenarioSchema.safeParse(json);
  if (!result.success) throw new ScenarioError(`${source}: ${issueText(result.error)}`);
  checkNames(result.data, source);
  return result.data;
}

/** Regions and classes that are named must exist. */
function checkNames(scenario: Scenario, source: string): void {
  const regions = scenario.network.regions.map(({ name }) => name);
  const classes = scenario.viewers.classes.map(({ name }) => name);
  const check = (what: string, name: string | undefined, names: readonly string[]): void => {
    if (name === undefined || names.includes(name)) return;
    throw new ScenarioError(`${source}: no ${what} "${name}"; there are: ${names.join(", ")}`);
  };
  for (const host of [scenario.publisher, ...scenario.edges]) check("region", host.region, regions);
  for (const fault of scenario.faults) {
    if (fault.kind === "pathLoss") {
      check("region", fault.from, regions);
      check("region", fault.to, regions);
    } else if (fault.kind === "leave") {
      check("region", fault.region, regions);
      check("class", fault.class, classes);
    } else if (fault.kind === "edgeDown") {
      check(
        "edge",
        fault.edge,
        scenario.edges.map(({ name }) => name),
      );
    }
  }
}

function issueText(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join(".") || "the scenario"}: ${message}`)
    .join("; ");
}

function readTrace(file: string): Trace {
  try {
    return parseTrace(readJson(file));
  } catch (error) {
    if (error instanceof ScenarioError) throw error;
    throw new ScenarioError(`${file}: ${(error as Error).message}`);
  }
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ScenarioError(`${file}: ${(error as Error).message}`);
  }
}
