/** The same scenario, viewers, span and seed in the simulator. */
import type { Report } from "../../runtime/sim/report/report.ts";
import { runScenario } from "../../runtime/sim/run.ts";
import { drawWorld, type WorldOptions } from "./world.ts";

const MEMORY_MIB_SHARED = 64;

export function simulate(options: WorldOptions): Report {
  const { scenario, trace } = drawWorld(options);
  return runScenario({
    scenario,
    trace,
    seed: options.seed,
    hotKind: "wasm",
    memoryMiB: Math.min(1024, MEMORY_MIB_SHARED + options.viewers),
    commit: "",
  });
}
