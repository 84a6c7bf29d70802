/**
 * `shoal publish`: frames of a file, a pipe or an encoder to an edge. Ends with the input, by a
 * signal, or when the edge refuses for good (wrong key, stream busy).
 */
import { systemClock } from "../runtime/io/clock.ts";
import { openSource, SourceError } from "../runtime/media/file-source.ts";
import type { PublisherEvent } from "../runtime/node/api.ts";
import { createHotPath } from "../runtime/wasm/create.ts";
import { formatEdges, type PublishInput, type ShoalUrl } from "./arguments.ts";
import { LinkLines, reasonText } from "./link-lines.ts";
import { hotPathKind, resolveEdges, StartError } from "./node-birth.ts";
import { publishLiveLine } from "./publish-lines.ts";
import { PublishedStream } from "./published-stream.ts";
import { listenForEncoder } from "./rtmp-input.ts";
import { type Ending, EXIT_FAILED, EXIT_OK } from "./run-command.ts";
import type { Terminal } from "./terminal.ts";

export interface PublishOptions {
  readonly input: PublishInput;
  readonly to: ShoalUrl;
  readonly key: string;
  readonly loop: boolean;
  readonly agent: string;
}

/** Memory for what is being sent, MiB: the current group of pictures. */
const MEMORY_MIB = 64;
const FIGURES_MS = 1_000;

/** Where the input's description comes from, for the figures. */
export interface InputState {
  /** "h264 854x480 / aac 48000 stereo", as far as known. */
  readonly codecs: string;
  close(): void;
}

/** Runs until `ending`; gives the exit code. @throws StartError with the one line to print. */
export async function publish(
  options: PublishOptions,
  terminal: Terminal,
  ending: Ending,
): Promise<number> {
  const { to, key, agent } = options;
  const edge = formatEdges(to);
  const edges = await resolveEdges(to.edges);
  const hot = createHotPath({ kind: hotPathKind(), memoryMiB: MEMORY_MIB });
  const link = new LinkLines(edge, systemClock.now(), (line) => terminal.line(line));
  const stream = await PublishedStream.open(
    hot,
    { edges, stream: to.stream, key, agent },
    {
      event: (event) => handleEvent(event, { link, edge, terminal, ending }),
      trouble: (error) => terminal.error(String(error)),
    },
  );
  let input: InputState | undefined;
  const started = startInput(options, stream, terminal, ending).then(
    (state) => {
      input = state;
    },
    (error: unknown) => ending.end(EXIT_FAILED, inputErrorLine(error)),
  );
  let bytesBefore = 0;
  const figures = setInterval(() => {
    const stats = stream.stats();
    const bitrateKbps = ((stream.bodyBytes - bytesBefore) * 8) / FIGURES_MS;
    bytesBefore = stream.bodyBytes;
    link.handleTimeout(systemClock.now());
    terminal.live(publishLiveLine(stats, bitrateKbps, input?.codecs ?? ""));
    const codecs = input?.codecs ?? "";
    terminal.figures({ time: new Date().toISOString(), ...stats, bitrateKbps, codecs });
  }, FIGURES_MS);
  const code = await ending.reached;
  clearInterval(figures);
  input?.close();
  await stream.close();
  await Promise.race([started, new Promise((resolve) => setTimeout(resolve, 100))]);
  return code;
}

interface EventTargets {
  readonly link: LinkLines;
  readonly edge: string;
  readonly terminal: Terminal;
  readonly ending: Ending;
}

function handleEvent(event: PublisherEvent, { link, edge, terminal, ending }: EventTargets): void {
  if (event.type === "warning") return terminal.line(`the edge warns: ${event.text}`);
  if (event.type === "closed") return;
  if (event.type !== "connected" && event.final) {
    return ending.end(EXIT_FAILED, `${edge} refuses: ${reasonText(event)}${advice(event.reason)}`);
  }
  link.handle(event, systemClock.now());
}

/** What to do about a refusal. */
function advice(reason: string): string {
  switch (reason) {
    case "wrong key":
      return "; give the stream's key with --key, --key-file or SHOAL_KEY";
    case "stream busy":
      return "; somebody else publishes this stream, end that one or take another name";
    default:
      return "";
  }
}

async function startInput(
  options: PublishOptions,
  stream: PublishedStream,
  terminal: Terminal,
  ending: Ending,
): Promise<InputState> {
  const { input } = options;
  if (input.kind === "rtmp") return listenForEncoder(input, stream, terminal);
  const path = input.kind === "stdin" ? "-" : input.path;
  const isFile = input.kind === "file";
  const source = await openSource(path, {
    loop: options.loop,
    realtime: isFile,
    clock: { now: () => systemClock.now(), sleep },
  });
  void (async () => {
    await stream.connected;
    terminal.line(`publishing ${isFile ? path : "standard input"} as ${options.to.stream}`);
    for await (const frame of source.frames()) stream.push(frame);
    if (ending.ended) return;
    terminal.line("the input has ended");
    ending.end(EXIT_OK);
  })().catch((error: unknown) => ending.end(EXIT_FAILED, inputErrorLine(error)));
  return source;
}

/** The input's own errors are for the user; anything else is a bug and keeps its trace. */
function inputErrorLine(error: unknown): string {
  if (error instanceof SourceError || error instanceof StartError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function sleep(spanMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, spanMs);
    signal.addEventListener("abort", done);
  });
}
