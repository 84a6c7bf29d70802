#!/usr/bin/env bun
/** `shoal-edge`: the operator's program. */
import { Command, CommanderError } from "commander";
import packageJson from "../package.json" with { type: "json" };
import { API_URL_DEFAULT, CommandFailure, drain, type Output, routes } from "./commands.ts";
import { type EdgeConfig, loadConfig } from "./config/load.ts";
import { printConfig } from "./config/print.ts";
import { startLogs } from "./log.ts";
import { type EdgeProgram, startEdge } from "./program.ts";
import { StartError } from "./start-error.ts";

const EXIT_RUNTIME = 1;
const EXIT_USAGE = 2;
/** A stop that has not ended by then is ended. */
const STOP_MS_MAX = 1800;
const TIMEOUT_SECONDS_MAX = 86_400;

interface RunFlags {
  readonly config?: string;
  readonly checkConfig?: true;
}

interface ApiFlags {
  readonly api: string;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  shoal-edge --config edge.toml --check-config
  shoal-edge routes --explain
  shoal-edge drain --timeout 30`;

function program(): Command {
  const edge = new Command("shoal-edge")
    .description("Takes live streams in (RTMP, shoal publish) and serves them to viewers.")
    .version(packageJson.version)
    .option("--config <file>", "TOML configuration, see docs/CONFIG.md")
    .option("--check-config", "check the configuration, print what is in force, and exit")
    .allowExcessArguments(false)
    .addHelpText("after", EXAMPLES)
    .action(runEdge);
  const api = "--api <url>";
  const apiText = "operators' listener of the edge";
  edge
    .command("routes")
    .description("Shows where a running edge takes streams from and by which paths it sends them.")
    .option(api, apiText, API_URL_DEFAULT)
    .option("--stream <name>", "of one stream only")
    .option("--explain", "every path with its figures, and why it is taken or left")
    .option("--json", "one JSON object")
    .action((flags: ApiFlags & { readonly stream?: string; readonly explain?: true }) => {
      const { stream, explain } = flags;
      return command(flags, (out, isJson) =>
        routes({ api: flags.api, stream, explain: explain === true }, out, isJson),
      );
    });
  edge
    .command("drain")
    .description("Moves a running edge's publishers and viewers to other edges, then ends it.")
    .option(api, apiText, API_URL_DEFAULT)
    .option("--timeout <seconds>", "ends it then, even if somebody cannot be moved", "60")
    .option("--json", "one JSON object at the end")
    .action((flags: ApiFlags & { readonly timeout: string }) => {
      const timeoutSeconds = /^\d{1,5}$/.test(flags.timeout) ? Number(flags.timeout) : 0;
      if (timeoutSeconds < 1 || timeoutSeconds > TIMEOUT_SECONDS_MAX) {
        console.error(`shoal-edge: --timeout: expected 1..${TIMEOUT_SECONDS_MAX} seconds`);
        process.exit(EXIT_USAGE);
      }
      return command(flags, (out, isJson) =>
        drain({ api: flags.api, timeoutSeconds }, out, isJson),
      );
    });
  return edge;
}

/** Runs what asks a running edge; its failures are one line. */
async function command(
  flags: ApiFlags,
  action: (out: Output, isJson: boolean) => Promise<void>,
): Promise<void> {
  if (!URL.canParse(flags.api)) {
    console.error(`shoal-edge: --api: expected a URL like ${API_URL_DEFAULT}`);
    process.exit(EXIT_USAGE);
  }
  const out: Output = {
    line: (text) => console.log(text),
    json: (value) => console.log(JSON.stringify(value)),
  };
  try {
    await action(out, flags.json === true);
  } catch (error) {
    console.error(error instanceof CommandFailure ? `shoal-edge: ${error.message}` : error);
    process.exit(EXIT_RUNTIME);
  }
}

async function runEdge(flags: RunFlags): Promise<void> {
  if (flags.config === undefined) {
    console.error("shoal-edge: required option '--config <file>' not specified");
    process.exit(EXIT_USAGE);
  }
  const config = readConfig(flags.config);
  if (flags.checkConfig) {
    process.stdout.write(printConfig(config));
    return;
  }
  await run(config).catch((error: unknown) => {
    console.error(error instanceof StartError ? `shoal-edge: ${error.message}` : error);
    process.exit(EXIT_RUNTIME);
  });
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
  const why = await edge.drained;
  await stop(why === "empty" ? "drained" : "drained, but not everybody could be moved");
}

const edge = program();
for (const one of [edge, ...edge.commands]) {
  one.exitOverride().configureOutput({
    outputError: (text, write) => write(`shoal-edge: ${text.replace(/^error: /, "")}`),
  });
}
try {
  await edge.parseAsync(process.argv);
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE);
}
