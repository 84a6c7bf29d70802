#!/usr/bin/env node
/** `shoal`: the viewer's and the broadcaster's program. Runs on Bun and on Node ≥ 20. */
import { Command, CommanderError } from "commander";
import packageJson from "../package.json" with { type: "json" };
import {
  parseHttpListen,
  parsePublishInput,
  parseRate,
  parseShoalUrl,
  parseTargetMs,
  UsageError,
} from "./arguments.ts";
import { EXIT_OK, EXIT_USAGE, runCommand } from "./run-command.ts";
import { readStreamKey } from "./stream-key.ts";
import { Terminal } from "./terminal.ts";

const AGENT = `shoal/${packageJson.version}`;
/** Play-out delay to start with, ms. */
const TARGET_MS = 700;

interface WatchFlags {
  readonly http?: string;
  readonly targetMs?: string;
  readonly strict?: true;
  readonly uploadMax?: string;
  readonly consumeOnly?: true;
  readonly metered?: true;
  readonly edgePage?: string;
  readonly json?: true;
}

interface PublishFlags {
  readonly to: string;
  readonly key?: string;
  readonly keyFile?: string;
  readonly loop?: true;
  readonly json?: true;
}

function program(): Command {
  const shoal = new Command("shoal")
    .description("Watch and publish live streams at about one second of delay.")
    .version(packageJson.version)
    .showHelpAfterError("Try: shoal --help")
    .allowExcessArguments(false);
  shoal
    .command("watch")
    .argument(
      "<url>",
      "the stream: shoal://HOST:PORT[,HOST:PORT…]/live/NAME, further edges to fall back on",
    )
    .description("Watch a stream: player page and HTTP-FLV on this machine.")
    .option("--http <address>", "PORT or HOST:PORT of the local HTTP (default: 127.0.0.1:8088)")
    .option("--target-ms <ms>", `play-out delay to start with, ms (default: ${TARGET_MS})`)
    .option("--strict", "after a loss wait for the next key frame instead of showing damage")
    .option("--upload-max <rate>", "most to upload to other viewers, bits per second: 2M, 800k")
    .option("--consume-only", "never upload to other viewers")
    .option("--metered", "this connection is paid by volume: as --consume-only, and the edge knows")
    .option(
      "--edge-page <url>",
      "the edge's web page, to offer its live streams on the player page",
    )
    .option("--json", "one JSON object a second on standard output")
    .action(runWatch);
  shoal
    .command("publish")
    .argument("<input>", "a file, - (FLV on stdin), or rtmp://HOST:PORT/app/name to listen on")
    .description("Publish a stream from a file, a pipe or an encoder.")
    .requiredOption(
      "--to <url>",
      "where to: shoal://HOST:PORT[,HOST:PORT…]/live/NAME, further edges to fall back on",
    )
    .option("--key <key>", "stream key (others on this machine can see it; or set SHOAL_KEY)")
    .option("--key-file <file>", "take the stream key from a file's first line")
    .option("--loop", "play a file again and again")
    .option("--json", "one JSON object a second on standard output")
    .action(runPublish);
  return shoal;
}

function terminalOf(flags: { readonly json?: true }): Terminal {
  return new Terminal({ json: flags.json === true, out: process.stdout, err: process.stderr });
}

async function runWatch(urlText: string, flags: WatchFlags): Promise<void> {
  const terminal = terminalOf(flags);
  await runCommand(terminal, async (ending) => {
    const none = flags.consumeOnly ? "--consume-only" : flags.metered ? "--metered" : undefined;
    if (none !== undefined && flags.uploadMax !== undefined) {
      throw new UsageError(`${none} and --upload-max contradict each other; write one`);
    }
    const options = {
      url: parseShoalUrl(urlText),
      http: flags.http === undefined ? undefined : parseHttpListen(flags.http),
      targetMs: flags.targetMs === undefined ? TARGET_MS : parseTargetMs(flags.targetMs),
      strict: flags.strict === true,
      uploadBytesPerSecondMax: uploadMax(flags),
      metered: flags.metered === true,
      edgePage: flags.edgePage === undefined ? undefined : parseEdgePage(flags.edgePage),
      agent: AGENT,
    };
    const { watch } = await import("./watch.ts");
    return watch(options, terminal, ending);
  });
}

function uploadMax(flags: WatchFlags): number {
  if (flags.consumeOnly || flags.metered) return 0;
  return flags.uploadMax === undefined ? Number.POSITIVE_INFINITY : parseRate(flags.uploadMax);
}

function parseEdgePage(text: string): string {
  if (URL.canParse(text) && /^https?:\/\//.test(text)) return text;
  throw new UsageError(`"${text}" is no web page; write it like http://edge.example.net:8080`);
}

async function runPublish(inputText: string, flags: PublishFlags): Promise<void> {
  const terminal = terminalOf(flags);
  await runCommand(terminal, async (ending) => {
    const input = parsePublishInput(inputText);
    if (flags.loop && input.kind !== "file") {
      throw new UsageError("--loop plays a file again; leave it out for other inputs");
    }
    const options = {
      input,
      to: parseShoalUrl(flags.to),
      key: await readStreamKey(flags, process.env),
      loop: flags.loop === true,
      agent: AGENT,
    };
    const { publish } = await import("./publish.ts");
    return publish(options, terminal, ending);
  });
}

/** Parses and runs; a wrong command line exits 2. */
async function main(argv: readonly string[]): Promise<void> {
  const shoal = program();
  for (const command of [shoal, ...shoal.commands]) {
    command.exitOverride().configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, "shoal: ")),
    });
  }
  try {
    await shoal.parseAsync(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE);
  }
}

/* Whoever read the output has gone (a pipe to `head`, a supervisor): there is nobody left to work for. */
process.stdout.on("error", () => process.exit(EXIT_OK));

await main(process.argv);
