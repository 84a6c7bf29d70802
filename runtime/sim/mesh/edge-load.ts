/** Finds a scenario of edges by name or file. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { FOOTAGE_480P, makeTrace, type Trace } from "../footage.ts";
import { SCENARIO_FOLDER, ScenarioError } from "../scenario/load.ts";
import { type EdgeScenario, edgeScenarioSchema } from "./edge-schema.ts";

const FOLDER = join(SCENARIO_FOLDER, "edges");
/** Groups of pictures in the loop that a model of footage makes. */
const LOOP_GROUPS = 8;

/** Names of those that ship. */
export function edgeScenarioNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))
    .sort();
}

/**
 * Undefined when it is no scenario of edges: those have `isps`, worlds with viewers have not.
 * @throws ScenarioError
 */
export function loadEdgeScenario(nameOrFile: string): EdgeScenario | undefined {
  const isShipped = edgeScenarioNames().includes(nameOrFile);
  const file = isShipped ? join(FOLDER, `${nameOrFile}.json`) : resolve(nameOrFile);
  if (!existsSync(file)) return undefined;
  const json = readJson(file);
  return typeof json === "object" && json !== null && "isps" in json
    ? parseEdgeScenario(json, file)
    : undefined;
}

/** @throws ScenarioError */
export function parseEdgeScenario(json: unknown, source: string): EdgeScenario {
  const result = edgeScenarioSchema.safeParse(json);
  if (!result.success) {
    const texts = result.error.issues.slice(0, 5).map(({ path, message }) => {
      return `${path.join(".") || "the scenario"}: ${message}`;
    });
    throw new ScenarioError(`${source}: ${texts.join("; ")}`);
  }
  check(result.data, source);
  return result.data;
}

/** What faults and bad links name must exist. */
function check({ edges, isps, streams, bad, faults }: EdgeScenario, source: string): void {
  const names = isps.map(({ name }) => name);
  for (const name of bad?.between.flat() ?? []) {
    if (names.includes(name)) continue;
    throw new ScenarioError(`${source}: no ISP "${name}"; there are: ${names.join(", ")}`);
  }
  for (const { edge } of faults) {
    if (edge < edges.count) continue;
    throw new ScenarioError(`${source}: no edge ${edge}; there are ${edges.count}, from 0`);
  }
  if (streams > edges.count) {
    throw new ScenarioError(`${source}: streams: each begins at an edge of its own`);
  }
}

/** Frame sizes, drawn from `seed`. */
export function edgeTrace({ stream }: EdgeScenario, seed: number): Trace {
  if ("trace" in stream)
    throw new ScenarioError("stream: a scenario of edges has a model of frames");
  return makeTrace(
    { ...FOOTAGE_480P, ...stream, groupMs: stream.groupSeconds * 1000 },
    LOOP_GROUPS,
    seed,
  );
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ScenarioError(`${file}: ${(error as Error).message}`);
  }
}
