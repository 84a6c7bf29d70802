#!/usr/bin/env bun
/** `shoal-edge`: the operator's program. */
import { Command, CommanderError } from "commander";
import packageJson from "../package.json" with { type: "json" };
import { type EdgeConfig, loadConfig } from "./config/load.ts";
import { printConfig } from "./config/print.ts";
import { startLogs } from "./log.ts";
import { type EdgeProgram, startEdge } from "./program.ts";
import { StartError } from "./start-error.ts";

const EXIT_RUNTIME = 1;
const EXIT_USAGE = 2;
/** A stop that has not ended by then is ended. */
const STOP_MS_MAX = 1800;

interface CommandOptions {
  readonly config: string;
  readonly checkConfig?: true;
}

function parseArguments(): CommandOptions {
  const command = new Command("shoal-edge")
    .description("Takes live streams in (RTMP, shoal publish) and serves them to viewers.")
    .version(packageJson.version)
    .requiredOption("--config <file>", "TOML configuration, see docs/CONFIG.md")
    .option("--check-config", "check the configuration, print what is in force, and exit")
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(`shoal-edge: ${text.replace(/^error: /, "")}`),
    });
  try {
    return command.parse(process.argv).opts<CommandOptions>();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE);
  }
}

function readConfig(file: string): EdgeConfig {
  const result = loadConfig(file, process.env);
  if ("config" in result) return result.config;
  for (const error of result.errors) console.error(error);
  process.exit(EXIT_USAGE);
}

async function run(config: EdgeConfig): Promise<void> {
  const log = startLogs(config.log);
  let edge: EdgeProgram | undefined;
  let isStopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (isStopping) process.exit(EXIT_RUNTIME);
    isStopping = true;
    log.info("{signal}: saying goodbye", { event: "stopping", signal });
    setTimeout(() => process.exit(0), STOP_MS_MAX);
    await edge?.stop();
    log.info("stopped", { event: "stopped" });
    process.exit(0);
  };
  process.on("SIGTERM", () => void stop("SIGTERM"));
  process.on("SIGINT", () => void stop("SIGINT"));
  edge = await startEdge(config, log, packageJson.version);
}

const options = parseArguments();
const config = readConfig(options.config);
if (options.checkConfig) {
  process.stdout.write(printConfig(config));
} else {
  await run(config).catch((error: unknown) => {
    console.error(error instanceof StartError ? `shoal-edge: ${error.message}` : error);
    process.exit(EXIT_RUNTIME);
  });
}
